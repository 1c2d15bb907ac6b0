//! Medians and percentiles of small samples.

/// The median; zero for an empty sample.
pub(crate) fn median(sample: &[f64]) -> f64 {
    percentile(sample, 0.5)
}

/// The value below which this share of the sample lies, by the nearest rank; zero for an empty sample.
pub(crate) fn percentile(sample: &[f64], share: f64) -> f64 {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a sample's length is a small whole number"
    )]
    let rank = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "the values are taken from the sample unchanged")]
    fn ranks_are_nearest() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0], 0.99), 4.0);
        assert_eq!(median(&[]), 0.0);
    }
}
