//! What people found out and agreed: sources, assessments and consents. Rows are only ever added.

/// One source that a verifier recorded.
pub(crate) mod source {
    use sea_orm::entity::prelude::*;

    /// `position` orders the sources of a case from 0.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sources")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) source_id: Uuid,
        pub(crate) case_id: Uuid,
        pub(crate) position: i32,
        pub(crate) recorded_by: String,
        pub(crate) recorded_at_ms: i64,
        pub(crate) sealed: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// One assessment; the last one counts.
pub(crate) mod assessment {
    use sea_orm::entity::prelude::*;

    /// `position` orders the assessments of a case from 0.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "assessments")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) case_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) position: i32,
        pub(crate) assessed_by: String,
        pub(crate) assessed_at_ms: i64,
        pub(crate) sealed: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// One version of a consent record; immutable.
pub(crate) mod consent {
    use sea_orm::entity::prelude::*;

    /// `position` orders the records of a case from 0.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "consents")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) consent_id: Uuid,
        pub(crate) case_id: Uuid,
        pub(crate) position: i32,
        pub(crate) recorded_by: String,
        pub(crate) recorded_at_ms: i64,
        pub(crate) sealed: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
