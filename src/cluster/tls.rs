//! TLS to Redis: whom it is believed, and who we say we are.

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{
    CertificateDer, InvalidDnsNameError, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime,
};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// What JavaScript gives. It has read the files: the key is PKCS #8, certificates X.509, in DER.
#[derive(Debug)]
pub struct TlsSetup {
    /// Whose certificates are believed.
    pub roots: Vec<Vec<u8>>,
    /// Our certificate and those that it is signed by; empty for none.
    pub chain: Vec<Vec<u8>>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// The name that the server's certificate has to be for, where that is not the host's.
    pub server_name: Option<String>,
    /// Otherwise any certificate will do.
    pub is_verified: bool,
}

/// How connections are secured.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    server_name: Option<ServerName<'static>>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

impl TlsSetup {
    /// Makes what connections are secured with.
    ///
    /// # Errors
    ///
    /// When a key, a certificate or a name cannot be used.
    pub fn build(self) -> Result<Tls, Error> {
        let provider = Arc::new(default_provider());
        let roots: Vec<_> = self.roots.into_iter().map(CertificateDer::from).collect();
        let by_authority = if self.is_verified {
            let mut store = RootCertStore::empty();
            // Those of the system may have some that are too old to be read.
            store.add_parsable_certificates(roots.iter().cloned());
            let verifier =
                WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone());
            Some(verifier.build().map_err(|error| Error::General(error.to_string()))?)
        } else {
            None
        };
        let verifier = Verifier { by_authority, roots, provider: provider.clone() };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match self.key {
            None => config.with_no_client_auth(),
            Some(key) => {
                let chain = self.chain.into_iter().map(CertificateDer::from).collect();
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key));
                config.with_client_auth_cert(chain, key)?
            }
        };
        let server_name = self.server_name.map(server_name).transpose();
        Ok(Tls {
            connector: TlsConnector::from(Arc::new(config)),
            server_name: server_name.map_err(|error| Error::General(error.to_string()))?,
        })
    }
}

impl Tls {
    /// How connections to a host are secured.
    pub fn connector(
        &self,
        host: &str,
    ) -> Result<(&TlsConnector, ServerName<'static>), InvalidDnsNameError> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => server_name(host.to_owned())?,
        };
        Ok((&self.connector, name))
    }
}

fn server_name(name: String) -> Result<ServerName<'static>, InvalidDnsNameError> {
    ServerName::try_from(name)
}

#[derive(Debug)]
struct Verifier {
    by_authority: Option<Arc<WebPkiServerVerifier>>,
    roots: Vec<CertificateDer<'static>>,
    provider: Arc<tokio_rustls::rustls::crypto::CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(verifier) = &self.by_authority else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified =
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // It is an authority's, which webpki takes from nobody, though its times are right: one
            // that has signed itself and is given as its own authority, as OpenSSL allows.
            Err(Error::InvalidCertificate(CertificateError::Other(_)))
                if self.roots.iter().any(|root| root == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls12_signature(message, cert, dss, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls13_signature(message, cert, dss, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
