//! How many bytes of bodies may be in memory at once. Room is taken for bytes that have arrived, never for bytes that
//! were only announced, so that silent connections cost nothing. What comes beyond waits in order; nobody is refused.

use tocsin_platform::failure::Failure;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How many bodies may go on although the room is full. Bodies that have arrived in part hold room while they wait for
/// more; if none of them could go on, none would ever end and give its room back.
const TURNS: usize = 16;

/// The room of all bodies.
pub(crate) struct Room {
    bytes: Semaphore,
    turns: Semaphore,
}

impl Room {
    /// Room for this many bytes.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes: Semaphore::new(bytes_max.min(Semaphore::MAX_PERMITS)), turns: Semaphore::new(TURNS) }
    }

    /// The place of one body, which holds no room yet.
    pub(crate) fn place(&self) -> Place<'_> {
        Place { room: self, bytes: None, turn: None }
    }
}

/// The room that one body holds, given back when dropped.
pub(crate) struct Place<'a> {
    room: &'a Room,
    bytes: Option<SemaphorePermit<'a>>,
    turn: Option<SemaphorePermit<'a>>,
}

impl Place<'_> {
    /// Waits until this many more bytes may be held.
    pub(crate) async fn grow(&mut self, bytes: usize) -> Result<(), Failure> {
        if bytes == 0 || self.turn.is_some() {
            return Ok(());
        }
        let closed = |_| Failure::internal("BODY_LIMIT_CLOSED");
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        tokio::select! {
            biased;
            more = self.room.bytes.acquire_many(bytes) => {
                let more = more.map_err(closed)?;
                match &mut self.bytes {
                    Some(held) => held.merge(more),
                    held => *held = Some(more),
                }
            }
            turn = self.room.turns.acquire() => self.turn = Some(turn.map_err(closed)?),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;
    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn bodies_that_fill_the_room_in_part_all_end() {
        let room = Room::new(100);
        let bodies = (0..50).map(|_| async {
            let mut place = room.place();
            for _ in 0..10 {
                place.grow(10).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        tokio::time::timeout(Duration::from_secs(10), join_all(bodies)).await.expect("no body waits for ever");
        assert_eq!((room.bytes.available_permits(), room.turns.available_permits()), (100, TURNS));
    }

    #[tokio::test]
    async fn what_comes_beyond_the_room_waits() {
        let room = Room::new(100);
        let mut all = room.place();
        all.grow(100).await.unwrap();
        let mut beyond: Vec<_> = (0..TURNS).map(|_| room.place()).collect();
        for place in &mut beyond {
            place.grow(10).await.unwrap();
        }
        let mut late = room.place();
        assert!(late.grow(10).now_or_never().is_none());
        drop(all);
        late.grow(10).now_or_never().expect("there is room again").unwrap();
    }
}
