//! The tables of e-mail: bounces that still count, and addresses that are not written to.

/// One bounce of one notice.
pub(crate) mod bounce {
    use sea_orm::entity::prelude::*;

    /// A notice bounces once; a harder bounce replaces a softer one.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "mail_bounces")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) notice_id: Uuid,
        pub(crate) contact_id: String,
        /// A keyed hash of the address: bounces of an earlier address do not count against a later one.
        pub(crate) address_mac: String,
        /// `soft` or `hard`.
        pub(crate) class: String,
        /// The enhanced status, as 5.1.1.
        pub(crate) status: String,
        pub(crate) at_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// An address that is not written to.
pub(crate) mod suppression {
    use sea_orm::entity::prelude::*;

    /// One contact's e-mail, as long as its address stays the same.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "mail_suppressions")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) contact_id: String,
        pub(crate) address_mac: String,
        /// `unsubscribed`, `by_hand`, `hard_bounces` or `soft_bounces`.
        pub(crate) kind: String,
        /// The status of the last bounce, or a person's reason.
        pub(crate) detail: String,
        pub(crate) since_ms: i64,
        /// When it ends by itself; none for never.
        pub(crate) until_ms: Option<i64>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
