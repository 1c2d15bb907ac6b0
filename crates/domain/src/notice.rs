//! The states of a notice, ordered so that receipts early, late, repeated or out of order lose nothing.

use crate::codes::code_list;

code_list! {
    /// A state of a notice (one alert to one contact on one channel), from the weakest knowledge to the strongest.
    ///
    /// It moves from queued over `handed_to_gateway` and accepted (by a gateway, which is not "delivered"). Then come
    /// the ends without proof of arrival, then withdrawn, then the proofs of arrival. A proof overtakes every end: a
    /// message that was thought lost and is acknowledged was not lost. Nothing overtakes a proof but a stronger one.
    NoticeState in "notice_states" {
        Queued = "queued", HandedToGateway = "handed_to_gateway", Accepted = "accepted",
        UnknownNoReceipt = "unknown_no_receipt", FailedTemporary = "failed_temporary", Expired = "expired",
        RejectedPermanent = "rejected_permanent", SuppressedUnsafe = "suppressed_unsafe",
        SuppressedConsent = "suppressed_consent", Withdrawn = "withdrawn",
        Delivered = "delivered", OpenedInPortal = "opened_in_portal", Acknowledged = "acknowledged", Acted = "acted",
    }
}

impl NoticeState {
    /// Whether the notice has ended without proof of arrival: nothing more is sent.
    pub fn is_end(self) -> bool {
        (Self::UnknownNoReceipt..=Self::Withdrawn).contains(&self)
    }

    /// Whether the notice is known to have arrived.
    pub fn is_reached(self) -> bool {
        self >= Self::Delivered
    }
}

/// The state after news arrives: the stronger of the two. So the order of the news never matters, a repeated receipt
/// changes nothing, and no state regresses. A redrive does not go through here: it makes a new attempt.
pub fn advance(current: NoticeState, incoming: NoticeState) -> NoticeState {
    current.max(incoming)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::NoticeState as State;
    use super::*;

    #[test]
    fn news_never_regresses_a_notice() {
        check(State::Delivered, State::Accepted, State::Delivered);
        check(State::Accepted, State::RejectedPermanent, State::RejectedPermanent);
        check(State::FailedTemporary, State::Delivered, State::Delivered);
        check(State::RejectedPermanent, State::Acknowledged, State::Acknowledged);
        check(State::Queued, State::Withdrawn, State::Withdrawn);
        check(State::Withdrawn, State::Accepted, State::Withdrawn);
        check(State::Delivered, State::Withdrawn, State::Delivered);
        check(State::Acknowledged, State::Delivered, State::Acknowledged);
        check(State::Acted, State::RejectedPermanent, State::Acted);
    }

    #[test]
    fn ends_and_proofs_are_told_apart() {
        let ends: Vec<_> = State::ALL.iter().filter(|state| state.is_end()).map(|state| state.as_str()).collect();
        let expected = [
            "unknown_no_receipt",
            "failed_temporary",
            "expired",
            "rejected_permanent",
            "suppressed_unsafe",
            "suppressed_consent",
            "withdrawn",
        ];
        assert_eq!(ends, expected);
        let reached: Vec<_> = State::ALL.iter().filter(|state| state.is_reached()).map(|s| s.as_str()).collect();
        assert_eq!(reached, ["delivered", "opened_in_portal", "acknowledged", "acted"]);
    }

    proptest! {
        #[test]
        fn any_order_of_the_same_news_ends_in_the_same_state(
            (news, shuffled) in prop::collection::vec(prop::sample::select(State::ALL), 1..12)
                .prop_flat_map(|news| (Just(news.clone()), Just(news).prop_shuffle())),
        ) {
            let end = |news: &[State]| news.iter().copied().fold(State::Queued, advance);
            prop_assert_eq!(end(&news), end(&shuffled));
            let twice = [news.as_slice(), shuffled.as_slice()].concat();
            prop_assert_eq!(end(&news), end(&twice));
            prop_assert_eq!(end(&news).is_reached(), news.iter().any(|state| state.is_reached()));
            let mut state = State::Queued;
            for incoming in news {
                let next = advance(state, incoming);
                prop_assert!(!state.is_reached() || next.is_reached());
                prop_assert!(next >= state);
                state = next;
            }
        }
    }

    fn check(current: State, incoming: State, expected: State) {
        assert_eq!(advance(current, incoming), expected, "{current} then {incoming}");
    }
}
