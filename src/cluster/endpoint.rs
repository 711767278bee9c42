//! Where Redis is, and how connections to it are opened: over TCP, TLS or a unix socket, at an
//! address or at the one that Sentinel names.

use std::io;
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    RedisError, RedisResult,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::tls::Tls;

/// One server, and how to speak to it.
#[derive(Debug, Clone)]
pub struct Address {
    info: ConnectionInfo,
    tls: Option<Tls>,
}

/// Servers that know which of several Redis servers is the primary one.
#[derive(Debug)]
pub struct Sentinels {
    /// What they call that group of servers.
    pub name: String,
    /// They are asked in this order.
    pub addresses: Vec<Address>,
}

/// Where to connect to.
#[derive(Debug)]
pub struct Endpoint {
    address: Address,
    sentinels: Option<Sentinels>,
}

/// A pair of connections.
pub struct Connected {
    /// For commands.
    pub publisher: MultiplexedConnection,
    /// Ends when that connection does.
    pub driver: JoinHandle<()>,
    /// For subscriptions.
    pub subscriber: PubSub,
}

impl Address {
    /// Reads `redis://user:password@host:port/database`, or `unix://`.
    ///
    /// # Errors
    ///
    /// When the URL is malformed.
    pub fn new(url: &str, tls: Option<Tls>) -> RedisResult<Self> {
        Ok(Self { info: url.into_connection_info()?, tls })
    }

    /// The same credentials and TLS at another place.
    fn at(&self, host: String, port: u16) -> Self {
        let info = self.info.clone().set_addr(ConnectionAddr::Tcp(host, port));
        Self { info, tls: self.tls.clone() }
    }

    /// Connects, for commands. The task beside it ends with the connection.
    pub async fn commands(&self) -> RedisResult<(MultiplexedConnection, JoinHandle<()>)> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(LIMIT));
        let stream = self.stream().await?;
        let (connection, driver) = within(MultiplexedConnection::new_with_config(
            self.info.redis_settings(),
            stream,
            config,
        ))
        .await?;
        // It ends with the last handle of the connection, too.
        Ok((connection, tokio::spawn(driver)))
    }

    /// Connects, for subscriptions.
    pub async fn subscriptions(&self) -> RedisResult<PubSub> {
        let stream = self.stream().await?;
        within(PubSub::new(self.info.redis_settings(), stream)).await
    }

    async fn stream(&self) -> RedisResult<Box<dyn Stream>> {
        within(async {
            match self.info.addr() {
                ConnectionAddr::Tcp(host, port) => self.tcp(host, *port).await,
                #[cfg(unix)]
                ConnectionAddr::Unix(path) => {
                    let stream = tokio::net::UnixStream::connect(path).await?;
                    Ok(Box::new(stream) as Box<dyn Stream>)
                }
                _ => Err((ErrorKind::InvalidClientConfig, "an address of an unknown kind").into()),
            }
        })
        .await
    }

    async fn tcp(&self, host: &str, port: u16) -> RedisResult<Box<dyn Stream>> {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let (connector, name) = tls
            .connector(host)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Ok(Box::new(connector.connect(name, stream).await?))
    }
}

impl Endpoint {
    /// With Sentinels, the host and the port of the address do not matter.
    pub fn new(address: Address, sentinels: Option<Sentinels>) -> Self {
        Self { address, sentinels }
    }

    /// Connects to the primary server, twice: for commands, and for subscriptions.
    pub async fn connect(&self) -> RedisResult<Connected> {
        let Some(sentinels) = &self.sentinels else {
            let (publisher, driver) = self.address.commands().await?;
            let subscriber = self.address.subscriptions().await?;
            return Ok(Connected { publisher, driver, subscriber });
        };
        let (host, port) = sentinels.primary().await?;
        let address = self.address.at(host, port);
        let (mut publisher, driver) = address.commands().await?;
        self.check(&mut publisher).await?;
        Ok(Connected { publisher, driver, subscriber: address.subscriptions().await? })
    }

    /// Whether the server answers, and is the one to be connected to.
    pub async fn check(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        if self.sentinels.is_none() {
            return redis::cmd("PING").exec_async(connection).await;
        }
        // Sentinels believe for a while that a server which was replaced still is the primary one.
        let role: Vec<redis::Value> = redis::cmd("ROLE").query_async(connection).await?;
        match role.first() {
            Some(redis::Value::BulkString(role)) if role == b"master" => Ok(()),
            _ => Err((ErrorKind::Io, "the server is not the primary one any more").into()),
        }
    }
}

impl Sentinels {
    async fn primary(&self) -> RedisResult<(String, u16)> {
        let mut failure =
            RedisError::from((ErrorKind::InvalidClientConfig, "there are no Sentinels to ask"));
        for address in &self.addresses {
            match within(self.ask(address)).await {
                Ok(found) => return Ok(found),
                Err(error) => failure = error,
            }
        }
        let text = format!("no Sentinel names the primary server: {failure}");
        Err(io::Error::other(text).into())
    }

    async fn ask(&self, address: &Address) -> RedisResult<(String, u16)> {
        let (mut connection, _) = address.commands().await?;
        let found: Option<(String, u16)> = redis::cmd("SENTINEL")
            .arg("get-master-addr-by-name")
            .arg(&self.name)
            .query_async(&mut connection)
            .await?;
        found.ok_or_else(|| {
            io::Error::other(format!("it does not know of \"{}\"", self.name)).into()
        })
    }
}

/// Whatever carries the bytes.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The result, unless it takes too long.
pub async fn within<T>(work: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    match timeout(LIMIT, work).await {
        Ok(result) => result,
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}

/// How long Redis may take to answer.
const LIMIT: Duration = Duration::from_secs(10);
