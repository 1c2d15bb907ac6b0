//! The tables of what people do by hand, and of the addresses that contacts have proved.

/// Something that a person did.
pub(crate) mod change {
    use sea_orm::entity::prelude::*;

    /// Append only.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "changes")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) change_id: Uuid,
        pub(crate) at_ms: i64,
        pub(crate) actor_id: String,
        /// As `notices.redrive`.
        pub(crate) kind: String,
        /// Ids and names of ours; never an address.
        pub(crate) subject: String,
        /// A short word of theirs.
        pub(crate) reason: String,
        /// How many notices it changed.
        pub(crate) notices: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Which notices a change touched.
pub(crate) mod changed_notice {
    use sea_orm::entity::prelude::*;

    /// One notice of one change.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "changed_notices")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) notice_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) change_id: Uuid,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Whether a contact has proved an address.
pub(crate) mod verification {
    use sea_orm::entity::prelude::*;

    /// One contact's present address on one channel; an import with another address removes it.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "contact_verifications")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) contact_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) channel: String,
        /// A keyed hash of the address that the code was sent to.
        pub(crate) address_mac: String,
        pub(crate) verified_at_ms: Option<i64>,
        /// A keyed hash of the code that is awaited.
        pub(crate) code_mac: Option<String>,
        pub(crate) code_sent_at_ms: i64,
        /// Wrong codes that were given for it.
        pub(crate) tries: i32,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
