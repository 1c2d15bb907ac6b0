//! Released alerts, the consents that each relied on, and what organisations answered.

/// One released alert.
pub(crate) mod released {
    use sea_orm::entity::prelude::*;

    /// A unique index over case and draft version makes one of two releases at once win.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "alerts")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) alert_id: Uuid,
        pub(crate) case_id: Uuid,
        pub(crate) revision: i32,
        pub(crate) draft_version: i32,
        #[sea_orm(unique)]
        pub(crate) short_code: String,
        /// `released` or `withdrawn`.
        pub(crate) state: String,
        pub(crate) priority: String,
        pub(crate) drill: bool,
        pub(crate) released_at_ms: i64,
        pub(crate) deadline_at_ms: i64,
        /// The hash of the reference under the lookup key, because a reference names the country.
        #[sea_orm(unique)]
        pub(crate) reference_hash: Vec<u8>,
        /// The reference.
        pub(crate) sealed: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A consent record that a release relied on.
pub(crate) mod relied_on {
    use sea_orm::entity::prelude::*;

    /// Which alert relied on which version.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "alert_consents")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) alert_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) consent_id: Uuid,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// What one organisation answered to one alert: the newest version.
pub(crate) mod response {
    use sea_orm::entity::prelude::*;

    /// It may come before a restore has brought the alert back, so nothing refers to the alert's row.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "responses")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) alert_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) organisation_id: String,
        pub(crate) response: String,
        pub(crate) version: i64,
        pub(crate) at_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
