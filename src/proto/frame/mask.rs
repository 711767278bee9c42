//! Unmasking of client payloads (RFC 6455, 5.3).

/// Applies `mask` to `data` in place and returns the mask that continues behind it.
#[inline]
pub(super) fn unmask(data: &mut [u8], mask: [u8; 4]) -> [u8; 4] {
    let len = data.len();
    // One block is two 16-byte vectors; the compiler turns the loop over an array into those.
    let mut pattern = [0; BLOCK];
    for part in pattern.chunks_exact_mut(4) {
        part.copy_from_slice(&mask);
    }
    let mut blocks = data.chunks_exact_mut(BLOCK);
    for block in &mut blocks {
        for (byte, key) in block.iter_mut().zip(pattern) {
            *byte ^= key;
        }
    }
    let [a, b, c, d] = mask;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut words = blocks.into_remainder().chunks_exact_mut(8);
    for chunk in &mut words {
        if let Ok(bytes) = <&mut [u8; 8]>::try_from(chunk) {
            *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
        }
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= key;
    }
    let mut next = mask;
    next.rotate_left(len % 4);
    next
}

const BLOCK: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_and_split_agrees_with_the_definition() {
        let mask = [0x12, 0x34, 0x56, 0x78];
        for len in 0..150usize {
            let plain: Vec<u8> = (0..len).map(|n| n as u8).collect();
            let masked: Vec<u8> =
                plain.iter().zip(mask.into_iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            for split in 0..=len {
                let mut data = masked.clone();
                let (head, tail) = data.split_at_mut(split);
                let next = unmask(head, mask);
                unmask(tail, next);
                assert_eq!(data, plain, "length {len}, split at {split}");
            }
        }
    }
}
