//! Drafts of alerts and the decisions on them.

/// One version of a case's draft; a new version voids what was decided on the last one.
pub(crate) mod version {
    use sea_orm::entity::prelude::*;

    /// Only its state changes after it was written.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "drafts")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) case_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) version: i32,
        pub(crate) draft_id: Uuid,
        pub(crate) state: String,
        pub(crate) drafted_by: String,
        pub(crate) drafted_at_ms: i64,
        pub(crate) approvals_due_at_ms: Option<i64>,
        pub(crate) sealed: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// One person's decision on one version; an approver counts once.
pub(crate) mod approval {
    use sea_orm::entity::prelude::*;

    /// The reason is sealed.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "approvals")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) case_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) draft_version: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) approver: String,
        /// `approved` or `rejected`.
        pub(crate) decision: String,
        pub(crate) at_ms: i64,
        pub(crate) sealed: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
