//! Sets of any size in statements of a few sizes: a database keeps a statement that it has seen before and need not
//! read it again, and every further length would be another statement to read and to keep.

/// The largest size.
const LARGEST: usize = 512;
/// The sizes of statements, the largest first.
const SIZES: [usize; 6] = [LARGEST, 128, 32, 8, 4, 1];

/// Cuts a set into parts of these sizes.
pub(crate) fn in_sizes<T>(all: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = all;
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rest.len())?;
        let (some, others) = rest.split_at_checked(size)?;
        rest = others;
        Some(some)
    })
}

/// Fills a list of which only the different ones count up to a size, or to a multiple of the largest, by repeating the
/// last.
pub(crate) fn filled<T: Clone>(mut all: Vec<T>) -> Vec<T> {
    let count = all.len();
    let fitting = SIZES.into_iter().rev().find(|size| *size >= count);
    if let Some(last) = all.last().cloned() {
        all.resize(fitting.unwrap_or_else(|| count.next_multiple_of(LARGEST)), last);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_is_cut_into_known_sizes() {
        for count in [0, 1, 3, 4, 31, 500, 512, 1_300] {
            let all: Vec<usize> = (0..count).collect();
            let parts: Vec<&[usize]> = in_sizes(&all).collect();
            assert!(parts.iter().all(|part| SIZES.contains(&part.len())), "{count}");
            assert_eq!(parts.concat(), all);
        }
    }

    #[test]
    fn a_list_is_filled_with_what_it_holds() {
        for (count, size) in [(0, 0), (1, 1), (2, 4), (9, 32), (500, 512), (513, 1_024)] {
            let mut filled = filled((0..count).collect::<Vec<usize>>());
            assert_eq!(filled.len(), size);
            filled.dedup();
            assert_eq!(filled.len(), count);
        }
    }
}
