//! Padding, so that the size of what is stored or published tells little about what it says.

use zeroize::Zeroizing;

use super::SealError;

/// The smallest bucket in bytes.
const BUCKET_BYTES_MIN: usize = 512;
/// Up to here buckets are powers of two, above multiples of [`BUCKET_STEP_BYTES`].
const BUCKET_DOUBLING_BYTES_MAX: usize = 16 * 1024;
/// The step between large buckets.
const BUCKET_STEP_BYTES: usize = 4 * 1024;
/// The length prefix: a big-endian u32.
const PREFIX_BYTES: usize = 4;

/// The bucket for this many bytes, the prefix included.
fn bucket(bytes: usize) -> usize {
    if bytes <= BUCKET_DOUBLING_BYTES_MAX {
        bytes.next_power_of_two().max(BUCKET_BYTES_MIN)
    } else {
        bytes.next_multiple_of(BUCKET_STEP_BYTES)
    }
}

/// The plaintext with its length in front and zeros behind; `spare` is reserved for the cipher's tag, because growing
/// the buffer later would leave a copy of the plaintext behind.
pub(super) fn pad(plaintext: &[u8], spare: usize) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let max = super::PLAINTEXT_BYTES_MAX;
    let too_long = SealError::TooLong { given: plaintext.len(), max };
    if plaintext.len() > max {
        return Err(too_long);
    }
    let length = u32::try_from(plaintext.len()).map_err(|_| too_long)?;
    let size = bucket(PREFIX_BYTES + plaintext.len());
    let mut padded = Zeroizing::new(Vec::with_capacity(size + spare));
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(plaintext);
    padded.resize(size, 0);
    Ok(padded)
}

/// Takes the padding off again.
pub(super) fn unpad(padded: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (prefix, rest) = padded.split_first_chunk::<PREFIX_BYTES>().ok_or(SealError::Malformed)?;
    let length = usize::try_from(u32::from_be_bytes(*prefix)).map_err(|_| SealError::Malformed)?;
    let plaintext = rest.get(..length).ok_or(SealError::Malformed)?;
    Ok(Zeroizing::new(plaintext.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_double_and_then_step() {
        let expect = [
            (0, 512),
            (508, 512),
            (509, 1024),
            (1020, 1024),
            (1021, 2048),
            (16_380, 16_384),
            (16_381, 20_480),
            (20_476, 20_480),
            (20_477, 24_576),
        ];
        for (bytes, size) in expect {
            assert_eq!(pad(&vec![7; bytes], 16).unwrap().len(), size, "{bytes} bytes");
        }
    }

    #[test]
    fn a_length_beyond_the_padding_is_refused() {
        let mut padded = pad(b"abc", 0).unwrap();
        padded[0] = 0xff;
        assert!(matches!(unpad(&padded), Err(SealError::Malformed)));
        assert!(matches!(unpad(&[0, 0]), Err(SealError::Malformed)));
    }
}
