//! WebSocket frames: reading them in place, writing them masked (as clients must) or
//! plain (as servers do). No fragmentation: no server here splits a message.

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;

/// Not zero: a server may skip the unmasking of a zero mask, which no real client sends.
pub const MASK: [u8; 4] = [0x5b, 0xc3, 0x1e, 0x97];

/// One whole frame at the front of `bytes`.
pub struct Frame {
    pub opcode: u8,
    /// Where the payload lies.
    pub start: usize,
    pub end: usize,
}

impl Frame {
    /// Finds the frame, unmasking its payload where it lies; `None` if it is incomplete.
    pub fn take(bytes: &mut [u8]) -> Option<Self> {
        let (opcode, second) = (*bytes.first()? & 0x0f, *bytes.get(1)?);
        let (mut start, length): (usize, usize) = match second & 0x7f {
            126 => (4, u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?) as usize),
            127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
            short => (2, short as usize),
        };
        let masked = second & 0x80 != 0;
        if masked {
            start += 4;
        }
        let end = start.checked_add(length)?;
        if bytes.len() < end {
            return None;
        }
        if masked {
            let mask: [u8; 4] = bytes[start - 4..start].try_into().ok()?;
            mask_in_place(&mut bytes[start..end], mask);
        }
        Some(Self { opcode, start, end })
    }
}

/// Appends a frame as a server writes it.
pub fn push_plain(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    push_header(out, opcode, payload.len(), 0);
    out.extend_from_slice(payload);
}

/// Appends a frame as a client writes it, and returns where its payload starts.
pub fn push_masked(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) -> usize {
    push_header(out, opcode, payload.len(), 0x80);
    out.extend_from_slice(&MASK);
    let start = out.len();
    out.extend_from_slice(payload);
    mask_in_place(&mut out[start..], MASK);
    start
}

fn push_header(out: &mut Vec<u8>, opcode: u8, length: usize, mask_bit: u8) {
    out.push(0x80 | opcode);
    match length {
        0..=125 => out.push(mask_bit | length as u8),
        126..=0xffff => {
            out.push(mask_bit | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(mask_bit | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

fn mask_in_place(payload: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([
        mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3],
    ]);
    let mut words = payload.chunks_exact_mut(8);
    for word in &mut words {
        let value = u64::from_ne_bytes([
            word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7],
        ]);
        word.copy_from_slice(&(value ^ wide).to_ne_bytes());
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_frame_reads_back_at_every_length_form() {
        for length in [0, 1, 7, 125, 126, 65_535, 65_536] {
            let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let mut bytes = Vec::new();
            push_masked(&mut bytes, BINARY, &payload);
            assert!(Frame::take(&mut bytes.clone()[..bytes.len() - 1]).is_none());
            let frame = Frame::take(&mut bytes).expect("whole");
            assert_eq!(&bytes[frame.start..frame.end], &payload[..]);
            assert_eq!(frame.end, bytes.len());
        }
    }
}
