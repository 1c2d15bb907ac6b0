//! The keys of a contact's webhook: which schemes sign, what is made, and how one set follows another.

use chrono::{DateTime, TimeDelta, Utc};
use tocsin_platform::clock::to_ms;

use super::{Details, KeysBefore};
use crate::channel::{Scheme, WebhookKeys, WebhookKeysBefore, WebhookSecret, WebhookSigningKey};

/// The most replaced sets of keys that still sign. A rotation whose answer was lost is asked for again, and the keys that
/// the member has must outlive both.
const BEFORE_MAX: usize = 3;

/// When keys change, and for how long those before still sign.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rotation {
    pub(crate) now: DateTime<Utc>,
    pub(crate) overlap_hours: u32,
}

impl Rotation {
    fn ends_at_ms(self) -> i64 {
        to_ms(self.now + TimeDelta::hours(self.overlap_hours.into()))
    }
}

impl Details {
    /// Whether the webhook is signed by a scheme.
    pub(crate) fn signs(&self, scheme: Scheme) -> bool {
        let mut named = self.webhook_signatures.split_whitespace();
        if self.webhook_signatures.is_empty() { scheme == Scheme::V1 } else { named.any(|one| one == scheme.as_str()) }
    }

    /// Takes over the keys of an earlier import, makes what is missing, and lets a replaced secret sign for a while.
    pub(crate) fn complete_webhook_keys(
        &mut self,
        earlier: Option<&Self>,
        rotation: Rotation,
    ) -> Result<(), getrandom::Error> {
        if let Some(earlier) = earlier {
            self.webhook_signing_key.clone_from(&earlier.webhook_signing_key);
            self.webhook_keys_before.clone_from(&earlier.webhook_keys_before);
            if self.webhook_secret.is_empty() {
                self.webhook_secret.clone_from(&earlier.webhook_secret);
            } else if !earlier.webhook_secret.is_empty() && earlier.webhook_secret != self.webhook_secret {
                self.keep_before(earlier.webhook_secret.clone(), String::new(), rotation);
            }
        }
        self.make_missing_keys()
    }

    /// Makes new keys; those of now sign too until the rotation ends.
    pub(crate) fn rotate_webhook_keys(&mut self, rotation: Rotation) -> Result<(), getrandom::Error> {
        let secret = std::mem::take(&mut self.webhook_secret);
        let signing_key = std::mem::take(&mut self.webhook_signing_key);
        self.keep_before(secret, signing_key, rotation);
        self.make_missing_keys()
    }

    /// Puts replaced keys first, and lets go of what signs no more. When there are too many, those between go: the oldest
    /// are what the member has when rotations follow each other.
    fn keep_before(&mut self, secret: String, signing_key: String, rotation: Rotation) {
        let now_ms = to_ms(rotation.now);
        self.webhook_keys_before.retain(|before| before.until_ms > now_ms);
        self.webhook_keys_before.insert(0, KeysBefore { secret, signing_key, until_ms: rotation.ends_at_ms() });
        while self.webhook_keys_before.len() > BEFORE_MAX {
            self.webhook_keys_before.remove(1);
        }
    }

    fn make_missing_keys(&mut self) -> Result<(), getrandom::Error> {
        if self.webhook.is_empty() {
            return Ok(());
        }
        if self.signs(Scheme::V1) && self.webhook_secret.is_empty() {
            self.webhook_secret = WebhookSecret::generate()?.to_text();
        }
        if self.signs(Scheme::V1a) && self.webhook_signing_key.is_empty() {
            self.webhook_signing_key = WebhookSigningKey::generate()?.to_text();
        }
        Ok(())
    }

    /// What the member checks v1a with; empty when the webhook is not signed so.
    pub(crate) fn webhook_public_key(&self) -> String {
        let key = Some(&self.webhook_signing_key).filter(|_| self.signs(Scheme::V1a));
        key.and_then(|key| WebhookSigningKey::parse(key)).map(|key| key.public_text()).unwrap_or_default()
    }

    /// The keys, for signing.
    pub(crate) fn webhook_keys(&self) -> WebhookKeys {
        let secret = |text: &str| WebhookSecret::parse(text).ok().filter(|_| self.signs(Scheme::V1));
        let signing_key = |text: &str| WebhookSigningKey::parse(text).filter(|_| self.signs(Scheme::V1a));
        let before = self.webhook_keys_before.iter().map(|before| WebhookKeysBefore {
            secret: secret(&before.secret),
            signing_key: signing_key(&before.signing_key),
            until_seconds: before.until_ms.div_euclid(1000),
        });
        WebhookKeys {
            secret: secret(&self.webhook_secret),
            signing_key: signing_key(&self.webhook_signing_key),
            before: before.filter(|before| before.secret.is_some() || before.signing_key.is_some()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_has_its_own_key_and_no_other() {
        check("", true, false);
        check("v1", true, false);
        check("v1a", false, true);
        check("v1 v1a", true, true);
    }

    fn check(schemes: &str, secret: bool, signing_key: bool) {
        let mut details = details(schemes);
        details.complete_webhook_keys(None, rotation(0)).unwrap();
        let keys = details.webhook_keys();
        assert_eq!((keys.secret.is_some(), keys.signing_key.is_some()), (secret, signing_key));
        assert!(keys.before.is_empty());
        assert_eq!(!details.webhook_public_key().is_empty(), signing_key, "{schemes}");
    }

    #[test]
    fn a_rotation_keeps_what_was_before_for_its_hours_and_an_import_does_not_undo_it() {
        let mut first = details("v1 v1a");
        first.complete_webhook_keys(None, rotation(0)).unwrap();
        let mut second = first.clone();
        second.rotate_webhook_keys(rotation(10)).unwrap();
        let keys = second.webhook_keys();
        let before = &keys.before[0];
        assert_eq!(
            (before.secret.clone(), before.signing_key.clone()),
            (first.webhook_keys().secret, first.webhook_keys().signing_key)
        );
        assert_eq!(before.until_seconds, 10 * 3600 + 24 * 3600);
        assert_ne!(keys.secret, first.webhook_keys().secret);
        let mut again = details("v1 v1a");
        again.complete_webhook_keys(Some(&second), rotation(20)).unwrap();
        assert_eq!(again, second);
    }

    #[test]
    fn a_secret_replaced_by_an_import_still_signs_for_a_while() {
        let mut first = details("");
        first.complete_webhook_keys(None, rotation(0)).unwrap();
        let mut second = details("");
        second.webhook_secret = WebhookSecret::generate().unwrap().to_text();
        second.complete_webhook_keys(Some(&first), rotation(1)).unwrap();
        assert_eq!(second.webhook_keys_before[0].secret, first.webhook_secret);
        assert_eq!(second.webhook_keys_before[0].until_ms, 25 * 3_600_000);
    }

    #[test]
    fn rotations_whose_answers_were_lost_do_not_take_away_what_the_member_has() {
        let mut details = details("v1 v1a");
        details.complete_webhook_keys(None, rotation(0)).unwrap();
        let deployed = details.webhook_keys();
        for _ in 0..10 {
            details.rotate_webhook_keys(rotation(1)).unwrap();
        }
        let keys = details.webhook_keys();
        assert_eq!(keys.before.len(), BEFORE_MAX);
        assert!(keys.before.iter().any(|before| before.secret == deployed.secret));
        details.rotate_webhook_keys(rotation(30)).unwrap();
        assert_eq!(details.webhook_keys().before.len(), 1, "what signs no more is let go");
    }

    fn rotation(hour: i64) -> Rotation {
        Rotation { now: DateTime::from_timestamp(hour * 3600, 0).unwrap(), overlap_hours: 24 }
    }

    fn details(schemes: &str) -> Details {
        let mut details = Details::default();
        "https://hooks.org-1.example/".clone_into(&mut details.webhook);
        schemes.clone_into(&mut details.webhook_signatures);
        details
    }
}
