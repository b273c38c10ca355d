//! Text that is kept compressed, and put together with what differs from one answer to the next:
//! pieces of a deflate stream (RFC 1951) that need nothing of what is before them, in a gzip file
//! (RFC 1952).

use axum::body::Bytes;
use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};

/// Deflate, no name, no time, unknown system.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// What a piece is read or written in.
const ROOM: usize = 32 << 10;

pub struct Deflate {
    stream: Compress,
    crc: Crc,
}

impl Default for Deflate {
    fn default() -> Deflate {
        Deflate {
            stream: Compress::new(Compression::fast(), false),
            crc: Crc::new(),
        }
    }
}

impl Deflate {
    /// Text up to an octet boundary: more may follow.
    pub fn piece(&mut self, text: &[u8]) -> Bytes {
        self.crc.update(text);
        self.write(text, FlushCompress::Sync)
    }

    /// Text that may stand elsewhere than behind what came before, with its checksum.
    pub fn piece_apart(&mut self, text: &[u8]) -> (Bytes, Crc) {
        let mut crc = Crc::new();
        crc.update(text);
        self.stream.reset();
        (self.write(text, FlushCompress::Sync), crc)
    }

    /// Text that was made apart stands here.
    pub fn go_on_behind(&mut self, apart: &Crc) {
        self.crc.combine(apart);
    }

    /// The end of the stream.
    pub fn end(&mut self) -> Bytes {
        self.write(&[], FlushCompress::Finish)
    }

    pub fn crc(self) -> Crc {
        self.crc
    }

    fn write(&mut self, mut text: &[u8], flush: FlushCompress) -> Bytes {
        let mut out = Vec::with_capacity(text.len() / 8 + 64);
        loop {
            if out.capacity() - out.len() < 64 {
                out.reserve(ROOM);
            }
            let before = self.stream.total_in();
            let status = self.stream.compress_vec(text, &mut out, flush);
            let taken = (self.stream.total_in() - before) as usize;
            text = text.get(taken..).unwrap_or_default();
            let is_done = match status {
                Ok(Status::StreamEnd) | Err(_) => true,
                _ => text.is_empty() && out.len() < out.capacity() && !is_finish(flush),
            };
            if is_done {
                return out.into();
            }
        }
    }
}

fn is_finish(flush: FlushCompress) -> bool {
    matches!(flush, FlushCompress::Finish)
}

/// The beginning of a gzip file, with this text first.
pub fn gzip_head(text: &str) -> (Bytes, Crc) {
    let mut deflate = Deflate::default();
    let piece = deflate.piece(text.as_bytes());
    ([&GZIP_HEAD[..], &piece].concat().into(), deflate.crc())
}

/// Its last octets, behind those of the text that comes second.
pub fn gzip_tail(mut first: Crc, second: &Crc) -> Bytes {
    first.combine(second);
    let words = [first.sum(), first.amount()];
    words.map(u32::to_le_bytes).concat().into()
}

/// Reads pieces in their order.
pub struct Inflate(Decompress);

impl Default for Inflate {
    fn default() -> Inflate {
        Inflate(Decompress::new(false))
    }
}

impl Inflate {
    pub fn text(&mut self, mut piece: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(ROOM);
        loop {
            if out.len() == out.capacity() {
                out.reserve(ROOM);
            }
            let before = self.0.total_in();
            let status = self
                .0
                .decompress_vec(piece, &mut out, FlushDecompress::Sync);
            let taken = (self.0.total_in() - before) as usize;
            piece = piece.get(taken..).unwrap_or_default();
            let is_done = match status {
                Ok(Status::StreamEnd) | Err(_) => true,
                _ => piece.is_empty() && out.len() < out.capacity(),
            };
            if is_done {
                return out.into();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_kept_and_what_is_new_are_one_file() {
        let long = "0123456789".repeat(50_000);
        let cases: [(&str, &str, &[&str]); 4] = [
            ("nothing kept", "head", &[]),
            ("an empty piece", "head", &["", "a"]),
            ("several pieces", "head ", &["one, ", "two", ""]),
            ("a long one", "head", &[&long, &long, "end"]),
        ];
        for (name, head, texts) in cases {
            let mut kept = Deflate::default();
            let mut pieces: Vec<Bytes> = texts.iter().map(|t| kept.piece(t.as_bytes())).collect();
            pieces.push(kept.end());
            let whole = format!("{head}{}", texts.concat());
            let (first, crc) = gzip_head(head);
            let tail = gzip_tail(crc, &kept.crc());
            let file = [&[first][..], &pieces, &[tail]].concat().concat();
            let mut read = String::new();
            let mut decoder = flate2::read::GzDecoder::new(&file[..]);
            decoder.read_to_string(&mut read).expect(name);
            assert!(read == whole, "{name}");
            let mut inflate = Inflate::default();
            let texts: Vec<Bytes> = pieces.iter().map(|piece| inflate.text(piece)).collect();
            assert!(texts.concat() == whole.as_bytes()[head.len()..], "{name}");
        }
    }

    #[test]
    fn what_was_made_apart_can_be_told_in_another_order() {
        let texts = [
            "the same words, ",
            "the same words, again, ",
            "the same words",
        ];
        let mut deflate = Deflate::default();
        let made: Vec<_> = texts
            .iter()
            .map(|t| deflate.piece_apart(t.as_bytes()))
            .collect();
        let order = [2, 0, 1];
        let told: Vec<&str> = order.iter().map(|index| texts[*index]).collect();
        order
            .iter()
            .for_each(|index| deflate.go_on_behind(&made[*index].1));
        let mut pieces: Vec<&[u8]> = order.iter().map(|index| &made[*index].0[..]).collect();
        let end = deflate.end();
        pieces.push(&end);
        let (first, crc) = gzip_head("");
        let tail = gzip_tail(crc, &deflate.crc());
        let file = [&[&first[..]], &pieces[..], &[&tail]].concat().concat();
        let mut read = String::new();
        let mut decoder = flate2::read::GzDecoder::new(&file[..]);
        decoder.read_to_string(&mut read).unwrap();
        assert_eq!(read, told.concat());
    }
}
