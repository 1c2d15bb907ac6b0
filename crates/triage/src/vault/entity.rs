//! The tables of the key store, a database of its own, so that no backup holds both keys and what they open.

/// Triage's sealing key pairs.
pub(crate) mod pair {
    use sea_orm::entity::prelude::*;

    /// The secret half is wrapped under the master key, and gone once it is destroyed.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "key_pairs")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) key_id: String,
        pub(crate) public_key: Vec<u8>,
        pub(crate) wrapped_secret: Option<Vec<u8>>,
        pub(crate) made_at_ms: i64,
        pub(crate) retired_at_ms: Option<i64>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The data key of each report, which is the key of its case.
pub(crate) mod data_key {
    use sea_orm::entity::prelude::*;

    /// Deleting a row shreds everything of the case, wherever copies of it lie.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "data_keys")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) report_id: Uuid,
        pub(crate) wrapped: Vec<u8>,
        pub(crate) kept_at_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Keys that do not belong to a case.
pub(crate) mod own_key {
    use sea_orm::entity::prelude::*;

    /// `lookup` hashes what must be found again but not read, as references.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "own_keys")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) name: String,
        pub(crate) wrapped: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// When the key pair was last rotated: the one row over which replicas take turns.
pub(crate) mod rotation {
    use sea_orm::entity::prelude::*;

    /// `id` is always 1.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "rotation")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i32,
        pub(crate) rotated_at_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
