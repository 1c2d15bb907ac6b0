//! What may be spent in a day, in all and on one range of numbers. The counters are rows, so the limits hold for all
//! processes together.

use std::collections::BTreeMap;

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};

use crate::config::SmsConfig;
use crate::entity::sms::spend;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// The scope of everything.
const ALL: i64 = 0;
/// Days that are kept, for whoever looks into a flood.
const DAYS_KEPT: i64 = 31;

/// Why nothing more is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cap {
    Day,
    Range,
}

impl Cap {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "spend_cap",
            Self::Range => "range_cap",
        }
    }
}

/// What was spent today, as far as a batch of sends needs it.
#[derive(Debug, Clone)]
pub(super) struct Spent {
    day: i64,
    units: BTreeMap<i64, i64>,
    day_max: i64,
    range_max: i64,
    refused: Option<Cap>,
}

impl Spent {
    /// Locks today's counters of these ranges until the transaction ends.
    pub(super) async fn lock<C: ConnectionTrait>(
        connection: &C,
        config: &SmsConfig,
        ranges: &[i64],
        now_ms: i64,
    ) -> Result<Self, DbErr> {
        use spend::Column;
        let day = now_ms.div_euclid(DAY_MS);
        let limit = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let (day_max, range_max) = (limit(config.spend_per_day_max), limit(config.range_per_day_max));
        let mut units: BTreeMap<i64, i64> = ranges.iter().map(|range| (*range, 0)).collect();
        units.insert(ALL, 0);
        let rows =
            units.keys().map(|scope| spend::Model { day, scope: *scope, units: 0 }.into_active_model().reset_all());
        let known = OnConflict::columns([Column::Day, Column::Scope]).do_nothing().to_owned();
        spend::Entity::insert_many(rows).on_conflict(known).exec_without_returning(connection).await?;
        let rows = spend::Entity::find()
            .filter(Column::Day.eq(day))
            .filter(Column::Scope.is_in(units.keys().copied()))
            .order_by_asc(Column::Scope)
            .lock_exclusive()
            .all(connection)
            .await?;
        units.extend(rows.into_iter().map(|row| (row.scope, row.units)));
        Ok(Self { day, units, day_max, range_max, refused: None })
    }

    /// Spends, or says which limit forbids it.
    pub(super) fn spend(&mut self, range: i64, cost: i64) -> Result<(), Cap> {
        let spent = |scope: i64| self.units.get(&scope).copied().unwrap_or(0).saturating_add(cost);
        let (all, of_range) = (spent(ALL), spent(range));
        let over = |value: i64, limit: i64| limit > 0 && value > limit;
        let cap = [(over(all, self.day_max), Cap::Day), (over(of_range, self.range_max), Cap::Range)];
        if let Some((_, cap)) = cap.into_iter().find(|(is_over, _)| *is_over) {
            self.refused = Some(cap);
            return Err(cap);
        }
        self.units.insert(ALL, all);
        self.units.insert(range, of_range);
        Ok(())
    }

    /// The limit that forbade something last.
    pub(super) fn refused(&self) -> Option<Cap> {
        self.refused
    }

    /// Writes the counters.
    pub(super) async fn save<C: ConnectionTrait>(self, connection: &C) -> Result<(), DbErr> {
        use spend::Column;
        let day = self.day;
        let rows = self.units.into_iter().map(|(scope, units)| {
            let row = spend::Model { day, scope, units };
            row.into_active_model().reset_all()
        });
        let replaced = OnConflict::columns([Column::Day, Column::Scope]).update_column(Column::Units).to_owned();
        spend::Entity::insert_many(rows).on_conflict(replaced).exec_without_returning(connection).await.map(|_| ())
    }
}

/// Whether there are counters of long ago.
pub(super) async fn has_old<C: ConnectionTrait>(connection: &C, now_ms: i64) -> Result<bool, DbErr> {
    let before = now_ms.div_euclid(DAY_MS) - DAYS_KEPT;
    let old = spend::Entity::find().filter(spend::Column::Day.lt(before)).limit(1).one(connection).await?;
    Ok(old.is_some())
}

/// Forgets the counters of long ago.
pub(super) async fn forget_old<C: ConnectionTrait>(connection: &C, now_ms: i64) -> Result<(), DbErr> {
    let before = now_ms.div_euclid(DAY_MS) - DAYS_KEPT;
    spend::Entity::delete_many().filter(spend::Column::Day.lt(before)).exec(connection).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_hold_and_a_refusal_spends_nothing() {
        let mut spent = Spent { day: 1, units: BTreeMap::new(), day_max: 10, range_max: 4, refused: None };
        assert_eq!(spent.spend(7, 3), Ok(()));
        assert_eq!(spent.spend(7, 2), Err(Cap::Range));
        assert_eq!(spent.spend(7, 1), Ok(()));
        assert_eq!(spent.spend(8, 4), Ok(()));
        assert_eq!(spent.spend(9, 3), Err(Cap::Day));
        assert_eq!(spent.spend(9, 2), Ok(()));
        assert_eq!(spent.units, BTreeMap::from([(ALL, 10), (7, 4), (8, 4), (9, 2)]));
        let mut open = Spent { day: 1, units: BTreeMap::new(), day_max: 0, range_max: 0, refused: None };
        assert_eq!(open.spend(7, 1_000_000), Ok(()));
    }
}
