//! The text of a long answer, made while its routes come: told at once, or held and told session by session
//! when all are known.

use std::collections::BTreeMap;

use axum::body::Bytes;
use flate2::Crc;

use super::super::plane::Plane;
use super::answers::{Answer, Failure, Order};
use super::deflate::Deflate;

/// Octets of text of one session that are held as they are; the others are compressed.
const PLAIN_MAX: usize = 8 << 10;

/// Routes of one session that are not told yet.
#[derive(Default)]
struct Held {
    count: u64,
    text: Vec<u8>,
    pieces: Vec<Bytes>,
    crc: Crc,
}

impl Held {
    fn pack(&mut self, deflate: &mut Deflate, answer: &Answer) {
        let (piece, crc) = deflate.piece_apart(&self.text);
        self.text.clear();
        answer.note(&piece);
        self.pieces.push(piece);
        self.crc.combine(&crc);
    }
}

/// Goes on behind the opening bracket. How many routes there were, and the checksum of the text.
pub(super) async fn write(
    plane: &Plane,
    answer: &Answer,
    mut order: Order,
) -> Result<(u64, Crc), Failure> {
    let octets_max = plane.current().config.looking_glass.cache_octets_max;
    let is_held = order.is_whole || order.feed.is_mixed();
    let mut deflate = Deflate::default();
    // By their places.
    let mut sessions: BTreeMap<usize, Held> = BTreeMap::new();
    let mut count = 0u64;
    while let Some(rows) = order.feed.next().await? {
        for row in &rows {
            let shown = order.lens.shown(row, row.class.is_accepted());
            let Some(shown) = shown.filter(|shown| (order.is_wanted)(shown)) else {
                continue;
            };
            count += 1;
            let Some(write) = order.write else { continue };
            let session = sessions.entry(order.feed.place(row)).or_default();
            session.text.extend((session.count > 0).then_some(b','));
            session.count += 1;
            write(&shown, &mut session.text);
            if is_held && session.text.len() >= PLAIN_MAX {
                session.pack(&mut deflate, answer);
            }
        }
        if count > u64::from(order.routes_max) {
            let max = format!("more than {}", order.routes_max);
            return Err(Failure::TooMany(max, order.routes_max_key));
        }
        let told = sessions.values_mut().filter(|_| !is_held);
        for session in told.filter(|session| !session.text.is_empty()) {
            let piece = deflate.piece(&session.text);
            session.text.clear();
            answer.note(&piece);
            answer.push(piece);
        }
        plane.glass().answers.make_room(octets_max)?;
    }
    for (index, mut session) in sessions.into_values().enumerate() {
        if !session.text.is_empty() {
            session.pack(&mut deflate, answer);
        }
        if index > 0 {
            push_apart(answer, &mut deflate, b",");
        }
        session.pieces.into_iter().for_each(|it| answer.push(it));
        deflate.go_on_behind(&session.crc);
        tokio::task::yield_now().await;
    }
    push_apart(answer, &mut deflate, b"]}");
    answer.push(deflate.end());
    Ok((count, deflate.crc()))
}

fn push_apart(answer: &Answer, deflate: &mut Deflate, text: &[u8]) {
    let (piece, crc) = deflate.piece_apart(text);
    answer.push(piece);
    deflate.go_on_behind(&crc);
}
