//! The clocks of the first answer.

/// One page that is due while nobody answers.
pub(crate) mod escalation {
    use sea_orm::entity::prelude::*;

    /// `alarm` counts the times the case rang: 0 at receipt, one more whenever a higher band rang it again.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "escalations")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) case_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) alarm: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) level: i32,
        pub(crate) due_at_ms: i64,
        /// When somebody was paged, or the clock was closed.
        pub(crate) done_at_ms: Option<i64>,
        /// `paged`, `answered` or `superseded`; empty while it is open.
        pub(crate) outcome: Option<String>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
