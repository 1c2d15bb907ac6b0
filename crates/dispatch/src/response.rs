//! What an organisation answers to an alert, and when an answer counts. Pure.

use std::fmt;
use std::str::FromStr;

use tocsin_domain::codes::Ask;
use tocsin_domain::notice::NoticeState;

/// An organisation's answer. The code is stored and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Response {
    /// It has read the alert.
    Acknowledged,
    /// It signs the letter.
    Signed,
    /// It will not do what was asked.
    Declined,
    /// It takes the referral.
    ReferralAccepted,
    /// It does not take the referral.
    ReferralDeclined,
}

impl Response {
    /// Every answer.
    pub(crate) const ALL: [Self; 5] =
        [Self::Acknowledged, Self::Signed, Self::Declined, Self::ReferralAccepted, Self::ReferralDeclined];

    /// The stable text.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Signed => "signed",
            Self::Declined => "declined",
            Self::ReferralAccepted => "referral_accepted",
            Self::ReferralDeclined => "referral_declined",
        }
    }

    /// How far an organisation that gave this answer has come: it has acknowledged, or it has acted.
    pub(crate) const fn notice_state(self) -> NoticeState {
        match self {
            Self::Signed | Self::ReferralAccepted => NoticeState::Acted,
            Self::Acknowledged | Self::Declined | Self::ReferralDeclined => NoticeState::Acknowledged,
        }
    }

    /// What an alert must ask so that this answer makes sense; empty where it always does.
    const fn answers(self) -> &'static [Ask] {
        match self {
            Self::Acknowledged | Self::Declined => &[],
            Self::Signed => &[Ask::Sign],
            Self::ReferralAccepted | Self::ReferralDeclined => &[Ask::AcceptReferral, Ask::HostRelocation],
        }
    }
}

impl fmt::Display for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The text is none of the answers.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("use acknowledged, signed, declined, referral_accepted or referral_declined")]
pub(crate) struct UnknownResponse;

impl FromStr for Response {
    type Err = UnknownResponse;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|response| response.as_str() == text).ok_or(UnknownResponse)
    }
}

/// What to do with an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is what is already recorded, or says less: nothing changes.
    Keep(Response),
    /// It is new.
    Record(Response),
}

/// Why an answer does not count.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The alert was withdrawn.
    #[error("this alert has been withdrawn: it can no longer be answered")]
    Withdrawn,
    /// The alert does not ask for it.
    #[error("this alert does not ask for the answer `{0}`: acknowledge or decline it instead")]
    NotAsked(Response),
}

/// Decides an answer. An acknowledgement never replaces a decision; a decision may be changed by another one.
pub(crate) fn decide(
    current: Option<Response>,
    given: Response,
    asks: &[Ask],
    withdrawn: bool,
) -> Result<Decision, Refusal> {
    match current {
        Some(current) if current == given || given == Response::Acknowledged => return Ok(Decision::Keep(current)),
        _ => {}
    }
    if withdrawn {
        return Err(Refusal::Withdrawn);
    }
    let needed = given.answers();
    if !needed.is_empty() && !asks.iter().any(|ask| needed.contains(ask)) {
        return Err(Refusal::NotAsked(given));
    }
    Ok(Decision::Record(given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_survive_text() {
        for response in Response::ALL {
            assert_eq!(response.as_str().parse(), Ok(response));
        }
        assert_eq!("Signed".parse::<Response>(), Err(UnknownResponse));
    }

    #[test]
    fn an_answer_counts_once_and_only_where_it_is_asked() {
        use Response::{Acknowledged, Declined, ReferralAccepted, Signed};
        let sign = [Ask::Acknowledge, Ask::Sign];
        let check = |current, given, expected| assert_eq!(decide(current, given, &sign, false), expected);
        check(None, Acknowledged, Ok(Decision::Record(Acknowledged)));
        check(Some(Acknowledged), Acknowledged, Ok(Decision::Keep(Acknowledged)));
        check(Some(Acknowledged), Signed, Ok(Decision::Record(Signed)));
        check(Some(Signed), Acknowledged, Ok(Decision::Keep(Signed)));
        check(Some(Signed), Declined, Ok(Decision::Record(Declined)));
        check(None, ReferralAccepted, Err(Refusal::NotAsked(ReferralAccepted)));
        assert_eq!(decide(None, Signed, &[Ask::Acknowledge], false), Err(Refusal::NotAsked(Signed)));
        assert_eq!(
            decide(None, ReferralAccepted, &[Ask::AcceptReferral], false),
            Ok(Decision::Record(ReferralAccepted))
        );
    }

    #[test]
    fn a_withdrawn_alert_takes_no_new_answer_but_repeats_the_old_one() {
        assert_eq!(decide(None, Response::Acknowledged, &[], true), Err(Refusal::Withdrawn));
        let signed = Some(Response::Signed);
        assert_eq!(decide(signed, Response::Signed, &[], true), Ok(Decision::Keep(Response::Signed)));
    }
}
