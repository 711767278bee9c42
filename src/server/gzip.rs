//! Compresses one polling answer.

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Status};

/// The bytes as a gzip file, or nothing when that fails: then they are sent as they are.
pub fn gzip(data: &[u8]) -> Option<Vec<u8>> {
    let config = DeflateConfig { window_bits: GZIP_WINDOW, ..DeflateConfig::default() };
    let mut deflate = Deflate::new_with_config(config);
    // More than enough in every case: zlib never has to stop half-way.
    let mut out = vec![0; data.len() + data.len() / 4 + 128];
    match deflate.compress(data, &mut out, DeflateFlush::Finish) {
        Ok(Status::StreamEnd) => {
            out.truncate(usize::try_from(deflate.total_out()).ok()?);
            Some(out)
        }
        _ => None,
    }
}

/// The largest window, plus what asks zlib for gzip's header and trailer.
const GZIP_WINDOW: i32 = 15 + 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_becomes_a_gzip_file() {
        let packed = gzip(&b"all work and no play ".repeat(200)).expect("gzip");
        assert_eq!(&packed[..3], [0x1f, 0x8b, 8]);
        assert!(packed.len() < 200);
        let length = packed.len();
        assert_eq!(packed[length - 4..], 4200u32.to_le_bytes());
    }
}
