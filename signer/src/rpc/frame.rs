//! Where one Cap'n Proto frame ends in a stream of bytes (the standard stream framing: a table of
//! segment lengths, then the segments). Refuses what is too large before a byte of it is stored.
//! Looks into no message. Called by `connection`.

use waiaas_schema::{FRAME_LIMIT_BYTES, SEGMENT_LIMIT};

/// Bytes of one entry of the table, and of the count in front of it.
const ENTRY: usize = 4;
/// Bytes of a word.
const WORD: usize = 8;

/// Why a frame is not read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    /// More segments than honest peers send, or a count that does not fit 32 bits.
    #[error("frame refused: too many segments")]
    Segments,
    /// More bytes than [`FRAME_LIMIT_BYTES`].
    #[error("frame refused: too large")]
    TooLarge,
}

/// Length in bytes of the frame at the start of `buffer`, table included; nothing as long as its
/// table is incomplete.
pub(super) fn length(buffer: &[u8]) -> Result<Option<usize>, FrameError> {
    let Some(last_segment) = entry(buffer, 0) else {
        return Ok(None);
    };
    if last_segment >= SEGMENT_LIMIT {
        return Err(FrameError::Segments);
    }
    let segments = usize::try_from(last_segment).map_err(|_| FrameError::Segments)? + 1;
    // The table is padded to a whole word.
    let table = (ENTRY * (segments + 1)).next_multiple_of(WORD);
    let mut total = table;
    for segment in 1..=segments {
        let Some(words) = entry(buffer, segment) else {
            return Ok(None);
        };
        let bytes = usize::try_from(words)
            .ok()
            .and_then(|words| words.checked_mul(WORD));
        total = bytes
            .and_then(|bytes| total.checked_add(bytes))
            .ok_or(FrameError::TooLarge)?;
        if total > FRAME_LIMIT_BYTES {
            return Err(FrameError::TooLarge);
        }
    }
    // With an even number of segments the padding itself may still be missing.
    Ok((buffer.len() >= table).then_some(total))
}

/// The number at this place of the table.
fn entry(buffer: &[u8], place: usize) -> Option<u32> {
    let bytes = buffer.get(place * ENTRY..)?.first_chunk::<ENTRY>()?;
    Some(u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[u32]) -> Vec<u8> {
        entries
            .iter()
            .flat_map(|entry| entry.to_le_bytes())
            .collect()
    }

    #[test]
    fn lengths_of_honest_frames() {
        let mut message = capnp::message::Builder::new_default();
        message
            .init_root::<waiaas_schema::types_capnp::status::Builder<'_>>()
            .set_version("1.0");
        let bytes = capnp::serialize::write_message_to_words(&message);
        assert_eq!(length(&bytes), Ok(Some(bytes.len())));
        for cut in 0..8 {
            assert_eq!(length(&bytes[..cut]), Ok(None), "{cut}");
        }
        // Two segments: the table takes 12 bytes, padded to 16.
        assert_eq!(length(&table(&[1, 2, 3])), Ok(None));
        assert_eq!(length(&table(&[1, 2, 3, 0])), Ok(Some(16 + 40)));
    }

    #[test]
    fn lying_and_oversize_tables_are_refused() {
        let most = u32::try_from(FRAME_LIMIT_BYTES / WORD).unwrap();
        for (entries, error) in [
            (vec![u32::MAX, 1], FrameError::Segments),
            (vec![511, 1], FrameError::Segments),
            (vec![SEGMENT_LIMIT, 1], FrameError::Segments),
            (vec![0, u32::MAX], FrameError::TooLarge),
            (vec![0, most], FrameError::TooLarge),
            (vec![1, most / 2, most / 2, 0], FrameError::TooLarge),
            (vec![1, u32::MAX, u32::MAX, 0], FrameError::TooLarge),
        ] {
            assert_eq!(length(&table(&entries)), Err(error), "{entries:?}");
        }
        assert_eq!(length(&table(&[0, most - 1])), Ok(Some(FRAME_LIMIT_BYTES)));
    }
}
