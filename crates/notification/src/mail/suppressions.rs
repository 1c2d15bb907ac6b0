//! Addresses that are not written to: who decided it, for how long, and what that means for one notice.

use std::collections::HashMap;
use std::str::FromStr;

use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter};
use tocsin_domain::notice::NoticeState;

use super::rows::suppression;
use crate::channel::Outcome;
use crate::entity::contact;

/// Who decided that an address is not written to, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Several bounces of any kind: it rests, and urgent notices go out all the same.
    SoftBounces,
    /// Several hard bounces: it does not exist.
    HardBounces,
    /// One of us.
    ByHand,
    /// Its owner.
    Unsubscribed,
}

/// No kind of suppression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no kind of suppression")]
pub(crate) struct KindError;

impl Kind {
    const ALL: [Self; 4] = [Self::SoftBounces, Self::HardBounces, Self::ByHand, Self::Unsubscribed];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SoftBounces => "soft_bounces",
            Self::HardBounces => "hard_bounces",
            Self::ByHand => "by_hand",
            Self::Unsubscribed => "unsubscribed",
        }
    }
}

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, KindError> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(KindError)
    }
}

/// The suppression of one contact's present address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Suppression {
    pub(crate) kind: Kind,
    pub(crate) until_ms: Option<i64>,
}

/// What a notice is, as far as a suppression depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weight {
    pub(crate) urgent: bool,
    /// A call to somebody on duty, which nobody unsubscribes from.
    pub(crate) to_staff: bool,
}

impl Suppression {
    /// What becomes of a notice that may not leave; none when it may.
    pub(crate) fn outcome(self, weight: Weight, now_ms: i64) -> Option<Outcome> {
        let left_ms = self.until_ms.map(|until| until - now_ms);
        if left_ms.is_some_and(|left| left <= 0) {
            return None;
        }
        match self.kind {
            Kind::SoftBounces if weight.urgent => None,
            Kind::SoftBounces => {
                let seconds = left_ms.map_or(0, |left| left / 1000 + 1);
                Some(Outcome::Temporary {
                    code: "address_rests".to_owned(),
                    pace: crate::channel::Pace::MailServer,
                    retry_after_seconds: u32::try_from(seconds).ok(),
                    throttled: false,
                })
            }
            Kind::Unsubscribed if weight.to_staff => None,
            Kind::Unsubscribed => {
                Some(Outcome::Withheld { state: NoticeState::SuppressedConsent, reason: "unsubscribed" })
            }
            // Nobody wished so: a person must find another way.
            Kind::HardBounces | Kind::ByHand => {
                Some(Outcome::Refused { code: "address_suppressed".to_owned(), tries: 1 })
            }
        }
    }
}

impl suppression::Model {
    /// As far as sending depends on it.
    pub(crate) fn read(&self) -> Option<Suppression> {
        Some(Suppression { kind: self.kind.parse().ok()?, until_ms: self.until_ms })
    }
}

/// Records a suppression, unless a stronger one of the same address stands, and says whether it did. Whoever holds the
/// contact in memory reads it anew.
pub(crate) async fn suppress<C: ConnectionTrait>(connection: &C, row: suppression::Model) -> Result<bool, DbErr> {
    use suppression::Column;
    let (contact_id, kind) = (row.contact_id.clone(), row.kind.parse::<Kind>());
    let known = suppression::Entity::find_by_id(contact_id.as_str()).one(connection).await?;
    let stronger = known
        .filter(|known| known.address_mac == row.address_mac)
        .is_some_and(|known| known.kind.parse::<Kind>().ok() > kind.ok());
    if stronger {
        return Ok(false);
    }
    let replaced = OnConflict::column(Column::ContactId)
        .update_columns([Column::AddressMac, Column::Kind, Column::Detail, Column::SinceMs, Column::UntilMs])
        .to_owned();
    let active = row.into_active_model().reset_all();
    suppression::Entity::insert(active).on_conflict(replaced).exec_without_returning(connection).await?;
    changed(connection, &contact_id).await?;
    Ok(true)
}

/// Lifts a suppression, and says whether there was one. Bounces before it count no more.
pub(crate) async fn lift<C: ConnectionTrait>(connection: &C, contact_id: &str) -> Result<bool, DbErr> {
    let lifted = suppression::Entity::delete_by_id(contact_id).exec(connection).await?.rows_affected > 0;
    if lifted {
        super::rows::bounce::Entity::delete_many()
            .filter(super::rows::bounce::Column::ContactId.eq(contact_id))
            .exec(connection)
            .await?;
        changed(connection, contact_id).await?;
    }
    Ok(lifted)
}

async fn changed<C: ConnectionTrait>(connection: &C, contact_id: &str) -> Result<(), DbErr> {
    contact::Entity::update_many()
        .col_expr(contact::Column::Version, Expr::col(contact::Column::Version).add(1))
        .filter(contact::Column::ContactId.eq(contact_id))
        .exec(connection)
        .await
        .map(|_| ())
}

/// The suppressions of these contacts, by contact.
pub(crate) async fn of_contacts<C: ConnectionTrait>(
    connection: &C,
    ids: &[String],
) -> Result<HashMap<String, suppression::Model>, DbErr> {
    let wanted = suppression::Column::ContactId.is_in(ids.iter().map(String::as_str));
    let rows = suppression::Entity::find().filter(wanted).all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.contact_id.clone(), row)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urgent_notices_pass_a_resting_address_only() {
        check(Kind::SoftBounces, true, false, "leaves");
        check(Kind::SoftBounces, false, false, "later address_rests 11");
        check(Kind::HardBounces, true, false, "refused address_suppressed");
        check(Kind::ByHand, true, false, "refused address_suppressed");
        check(Kind::Unsubscribed, true, false, "suppressed_consent unsubscribed");
        check(Kind::Unsubscribed, true, true, "leaves");
    }

    #[test]
    fn it_ends_by_itself() {
        let over = Suppression { kind: Kind::SoftBounces, until_ms: Some(5_000) };
        assert_eq!(over.outcome(Weight { urgent: false, to_staff: false }, 5_000), None);
    }

    #[test]
    fn kinds_are_read_as_written() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("other".parse::<Kind>(), Err(KindError));
    }

    fn check(kind: Kind, urgent: bool, to_staff: bool, expected: &str) {
        let suppression = Suppression { kind, until_ms: (kind == Kind::SoftBounces).then_some(11_000) };
        let shown = match suppression.outcome(Weight { urgent, to_staff }, 500) {
            None => "leaves".to_owned(),
            Some(Outcome::Temporary { code, retry_after_seconds, .. }) => {
                format!("later {code} {}", retry_after_seconds.unwrap_or(0))
            }
            Some(Outcome::Refused { code, tries: 1 }) => format!("refused {code}"),
            Some(Outcome::Withheld { state, reason }) => format!("{state} {reason}"),
            Some(other) => format!("{other:?}"),
        };
        assert_eq!(shown, expected, "{kind:?}");
    }
}
