//! The headers of CORS for origins that are known beforehand. A function or a pattern is
//! JavaScript's to ask, and so are preflight requests.

/// What an engine says to other origins.
#[derive(Debug, Clone, Default)]
pub struct Cors {
    /// Who may read answers; none without the option.
    pub origins: Option<Origins>,
    /// Further header lines, each with its line end.
    pub rest: String,
}

/// Who may read answers.
#[derive(Debug, Clone)]
pub enum Origins {
    /// Everybody.
    Any,
    /// One origin, which is named in every answer.
    One(String),
    /// Whoever asks.
    Reflect,
    /// Those of a list.
    List(Vec<String>),
}

impl Cors {
    /// Adds the header lines for a request from `origin`.
    pub fn write(&self, out: &mut Vec<u8>, origin: Option<&[u8]>) {
        let Some(origins) = &self.origins else { return };
        let allowed = match origins {
            Origins::Any => Some(&b"*"[..]),
            Origins::One(origin) => Some(origin.as_bytes()),
            Origins::Reflect => origin,
            Origins::List(list) => {
                origin.filter(|origin| list.iter().any(|known| known.as_bytes() == *origin))
            }
        };
        if let Some(allowed) = allowed {
            out.extend_from_slice(b"Access-Control-Allow-Origin: ");
            out.extend_from_slice(allowed);
            out.extend_from_slice(b"\r\n");
        }
        if !matches!(origins, Origins::Any) {
            out.extend_from_slice(b"Vary: Origin\r\n");
        }
        out.extend_from_slice(self.rest.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(origins: Option<Origins>, origin: Option<&str>) -> String {
        let mut out = Vec::new();
        Cors { origins, rest: "X: y\r\n".into() }.write(&mut out, origin.map(str::as_bytes));
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn without_the_option_nothing_is_said() {
        assert_eq!(lines(None, Some("http://a")), "");
    }

    #[test]
    fn a_star_does_not_vary() {
        let expected = "Access-Control-Allow-Origin: *\r\nX: y\r\n";
        assert_eq!(lines(Some(Origins::Any), Some("http://a")), expected);
    }

    #[test]
    fn an_origin_that_is_not_listed_gets_no_permission() {
        let list = || Some(Origins::List(vec!["http://a".into(), "http://b".into()]));
        let expected = "Access-Control-Allow-Origin: http://b\r\nVary: Origin\r\nX: y\r\n";
        assert_eq!(lines(list(), Some("http://b")), expected);
        assert_eq!(lines(list(), Some("http://c")), "Vary: Origin\r\nX: y\r\n");
        assert_eq!(lines(list(), None), "Vary: Origin\r\nX: y\r\n");
    }

    #[test]
    fn whoever_asks_is_named() {
        let expected = "Access-Control-Allow-Origin: http://c\r\nVary: Origin\r\nX: y\r\n";
        assert_eq!(lines(Some(Origins::Reflect), Some("http://c")), expected);
        assert_eq!(lines(Some(Origins::Reflect), None), "Vary: Origin\r\nX: y\r\n");
    }
}
