//! The audit trail, the numbering of references, and the sealing keys said and heard.

/// One entry of the audit trail.
pub(crate) mod audit {
    use sea_orm::entity::prelude::*;

    /// Who did what, when; the detail is sealed.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) entry_id: Uuid,
        pub(crate) case_id: Uuid,
        pub(crate) actor: String,
        pub(crate) action: String,
        pub(crate) at_ms: i64,
        pub(crate) sealed: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The last number given to a reference.
pub(crate) mod counter {
    use sea_orm::entity::prelude::*;

    /// The key is a hash of country and year under the lookup key, because a country tells of a case.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "reference_counters")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) series_hash: Vec<u8>,
        pub(crate) last_number: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A key of our own that was said on the bus.
pub(crate) mod announced_key {
    use sea_orm::entity::prelude::*;

    /// Written in the transaction that records the event.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "announced_keys")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) key_id: String,
        pub(crate) announced_at_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
