//! What the listener's TLS is set up with: certificates by server name, versions, protocols.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, ServerConfig, SupportedProtocolVersion, version};

/// What JavaScript gives. It has read the files: keys are PKCS #8, certificates X.509, both in DER.
#[derive(Debug)]
pub struct TlsSetup {
    /// The first that fits is taken when no name does.
    pub identities: Vec<TlsIdentity>,
    /// TLS 1.2 is spoken.
    pub tls12: bool,
    /// TLS 1.3 is spoken.
    pub tls13: bool,
}

/// A certificate and its key.
#[derive(Debug)]
pub struct TlsIdentity {
    /// The server name that it is for, which may begin with `*.`; none for any.
    pub name: Option<String>,
    /// The certificate, then those that it is signed by.
    pub chain: Vec<Vec<u8>>,
    /// The key.
    pub key: Vec<u8>,
}

impl TlsSetup {
    /// Makes what connections are opened with.
    ///
    /// # Errors
    ///
    /// When a key or certificate cannot be used, or there is nothing to agree on.
    pub fn build(self) -> Result<Arc<ServerConfig>, Error> {
        let provider = default_provider();
        let mut certificates = Certificates::default();
        for TlsIdentity { name, chain, key } in self.identities {
            let chain = chain.into_iter().map(CertificateDer::from).collect();
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key));
            let identity = Arc::new(CertifiedKey::from_der(chain, key, &provider)?);
            match name {
                None => certificates.any.push(identity),
                Some(name) => {
                    certificates.named.entry(name.to_ascii_lowercase()).or_default().push(identity);
                }
            }
        }
        let versions: Vec<&SupportedProtocolVersion> =
            [self.tls12.then_some(&version::TLS12), self.tls13.then_some(&version::TLS13)]
                .into_iter()
                .flatten()
                .collect();
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&versions)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(certificates));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Who returns shows a ticket; nothing is kept here for those who may.
        config.ticketer = Ticketer::new()?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Arc::new(config))
    }
}

/// Certificates by server name.
#[derive(Debug, Default)]
struct Certificates {
    any: Vec<Arc<CertifiedKey>>,
    named: FxHashMap<String, Vec<Arc<CertifiedKey>>>,
}

impl Certificates {
    fn named(&self, name: &str) -> Option<&Vec<Arc<CertifiedKey>>> {
        let name = name.to_ascii_lowercase();
        self.named.get(&name).or_else(|| {
            let (_, parent) = name.split_once('.')?;
            self.named.get(&format!("*.{parent}"))
        })
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let named = hello.server_name().and_then(|name| self.named(name));
        let candidates = named.unwrap_or(&self.any);
        candidates.iter().find(|one| one.key.choose_scheme(schemes).is_some()).cloned()
    }
}
