//! Decompression that stops at a limit, however much more there would be.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

use super::IngestError;

/// The content of a body with the `Content-Encoding` `encoding`.
pub(super) fn expand(
    body: Bytes,
    encoding: Option<&str>,
    limit: usize,
) -> Result<Bytes, IngestError> {
    match encoding.map(str::trim) {
        None | Some("" | "identity") => Ok(body),
        Some("gzip" | "x-gzip") => gunzip(&body, limit),
        Some(other) => {
            let message = format!("the content encoding {other} is not supported: use gzip");
            Err(IngestError::UnsupportedMedia(message))
        }
    }
}

fn gunzip(body: &[u8], limit: usize) -> Result<Bytes, IngestError> {
    let mut expanded = Vec::new();
    let mut capped = MultiGzDecoder::new(body).take(limit as u64 + 1);
    match capped.read_to_end(&mut expanded) {
        Ok(_) if expanded.len() > limit => {
            Err(IngestError::TooLarge(format!("the body expands to more than {limit} bytes")))
        }
        Ok(_) => Ok(expanded.into()),
        Err(error) => Err(IngestError::Malformed(format!("the gzip body is damaged: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("write");
        encoder.finish().expect("finish").into()
    }

    #[test]
    fn bodies_expand_up_to_the_limit() {
        let expand = |size: usize| expand(gzip(&vec![7; size]), Some("gzip"), 1000);
        assert_eq!(expand(1000).expect("fits"), vec![7; 1000]);
        assert!(matches!(expand(1001), Err(IngestError::TooLarge(_))));
        assert!(matches!(expand(50_000_000), Err(IngestError::TooLarge(_))));
    }

    #[test]
    fn what_is_no_gzip_is_refused() {
        let whole = gzip(&[7; 500]);
        for body in [Bytes::from_static(b"hello"), whole.slice(..whole.len() - 3), Bytes::new()] {
            let result = expand(body, Some("gzip"), 1000);
            assert!(matches!(result, Err(IngestError::Malformed(_))), "{result:?}");
        }
        let result = expand(whole, Some("zstd"), 1000);
        assert!(matches!(result, Err(IngestError::UnsupportedMedia(_))), "{result:?}");
    }
}
