//! Sealing and opening, and everything that must not open.

use super::*;

const ASSOCIATED: &str = "report:0190b6f0-0000-7000-8000-000000000001";

fn sealed(pair: &SealingKeyPair) -> Sealed {
    seal(pair.public(), ASSOCIATED, b"what happened").unwrap()
}

#[test]
fn the_reader_opens_what_was_sealed() {
    let pair = SealingKeyPair::generate().unwrap();
    let sealed = sealed(&pair);
    assert_eq!(open(&pair, ASSOCIATED, &sealed).unwrap().as_slice(), b"what happened");
    let restored = SealingKeyPair::from_secret_bytes(&pair.to_secret_bytes()).unwrap();
    assert_eq!(open(&restored, ASSOCIATED, &sealed).unwrap().as_slice(), b"what happened");
    assert_eq!(PublicSealingKey::from_bytes(&pair.public().bytes).unwrap(), *pair.public());
}

#[test]
fn nothing_else_opens_it() {
    let pair = SealingKeyPair::generate().unwrap();
    let good = sealed(&pair);
    let other = SealingKeyPair::generate().unwrap();
    assert!(matches!(open(&other, ASSOCIATED, &good), Err(SealError::WrongKey { .. })));
    assert!(matches!(open(&pair, "report:another", &good), Err(SealError::DoesNotOpen)));
    let renamed = Sealed { key_id: other.public().id.clone(), ..good.clone() };
    assert!(matches!(open(&other, ASSOCIATED, &renamed), Err(SealError::DoesNotOpen)));
    for change in [
        |sealed: &mut Sealed| sealed.encapsulated[0] ^= 1,
        |sealed: &mut Sealed| sealed.wrapped_key[0] ^= 1,
        |sealed: &mut Sealed| sealed.nonce[0] ^= 1,
        |sealed: &mut Sealed| sealed.ciphertext[0] ^= 1,
        |sealed: &mut Sealed| sealed.ciphertext.truncate(100),
        |sealed: &mut Sealed| sealed.encapsulated.truncate(10),
        |sealed: &mut Sealed| sealed.nonce.clear(),
    ] {
        let mut changed = good.clone();
        change(&mut changed);
        assert!(open(&pair, ASSOCIATED, &changed).is_err());
    }
}

#[test]
fn a_key_under_a_false_id_is_refused() {
    let pair = SealingKeyPair::generate().unwrap();
    let other = SealingKeyPair::generate().unwrap();
    let swapped = PublicSealingKey { id: pair.public().id.clone(), bytes: other.public().bytes.clone() };
    assert!(matches!(seal(&swapped, ASSOCIATED, b"x"), Err(SealError::InvalidKey { .. })));
    assert!(matches!(PublicSealingKey::from_bytes(&[1, 2, 3]), Err(SealError::InvalidKey { .. })));
}

#[test]
fn sizes_tell_little_and_no_two_are_alike() {
    let pair = SealingKeyPair::generate().unwrap();
    let short = seal(pair.public(), ASSOCIATED, b"").unwrap();
    let longer = seal(pair.public(), ASSOCIATED, &[b'x'; 500]).unwrap();
    assert_eq!(short.ciphertext.len(), longer.ciphertext.len());
    assert_ne!(sealed(&pair), sealed(&pair));
    assert!(!sealed(&pair).to_bytes().windows(8).any(|window| window == b"happened"));
    let size = PLAINTEXT_BYTES_MAX + 1;
    assert!(matches!(seal(pair.public(), ASSOCIATED, &vec![0; size]), Err(SealError::TooLong { .. })));
}

#[test]
fn the_data_key_can_be_wrapped_again_and_shredded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/master.key");
    let master = MasterKey::load_or_create(&path).unwrap();
    let pair = SealingKeyPair::generate().unwrap();
    let sealed = sealed(&pair);
    let key = unwrap_key(&pair, &sealed, ASSOCIATED).unwrap();
    let wrapped = master.wrap(&key, "case:1").unwrap();

    let again = MasterKey::load_or_create(&path).unwrap();
    let key = again.unwrap(&wrapped, "case:1").unwrap();
    assert_eq!(open_with(&key, ASSOCIATED, &sealed).unwrap().as_slice(), b"what happened");
    assert!(matches!(again.unwrap(&wrapped, "case:2"), Err(SealError::DoesNotOpen)));
    assert!(matches!(again.unwrap(&wrapped[..10], "case:1"), Err(SealError::Malformed)));
    assert!(matches!(again.unwrap(&wrapped[..30], "case:1"), Err(SealError::DoesNotOpen)));
}

#[test]
fn the_master_key_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    MasterKey::load_or_create(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(MasterKey::load_or_create(&path), Err(SealError::MasterKeyOpen { mode: 0o644, .. })));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&path, "not a key").unwrap();
    assert!(matches!(MasterKey::load_or_create(&path), Err(SealError::InvalidKey { .. })));
}

#[test]
fn derived_keys_depend_on_secret_and_purpose() {
    let encrypted = encrypt(&DataKey::derive("answer", b"secret").unwrap(), "a", b"text").unwrap();
    let open = |purpose, secret: &[u8]| decrypt(&DataKey::derive(purpose, secret).unwrap(), "a", &encrypted);
    assert_eq!(open("answer", b"secret").unwrap().as_slice(), b"text");
    assert!(open("other", b"secret").is_err());
    assert!(open("answer", b"other").is_err());
}

#[test]
fn the_wire_forms_read_back_and_a_wrong_key_does_not() {
    let pair = SealingKeyPair::generate().unwrap();
    let sealed = sealed(&pair);
    assert_eq!(Sealed::from(tocsin_proto::common::v1::Sealed::from(sealed.clone())), sealed);
    let mut wire = tocsin_proto::common::v1::PublicSealingKey::from(pair.public());
    assert_eq!(PublicSealingKey::try_from(wire.clone()).unwrap(), *pair.public());
    wire.id = "another".to_owned();
    assert!(matches!(PublicSealingKey::try_from(wire), Err(SealError::InvalidKey { .. })));
}

#[test]
fn secrets_are_not_printed() {
    let pair = SealingKeyPair::generate().unwrap();
    assert!(format!("{pair:?}").ends_with("[redacted])"));
    assert_eq!(format!("{:?}", DataKey::generate().unwrap()), "DataKey([redacted])");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]

    #[test]
    fn content_of_any_size_comes_back(content in proptest::collection::vec(0_u8.., 0..40_000)) {
        let key = DataKey::generate().unwrap();
        let encrypted = encrypt(&key, "x", &content).unwrap();
        let opened = decrypt(&key, "x", &encrypted).unwrap();
        proptest::prop_assert_eq!(opened.as_slice(), content.as_slice());
    }

    #[test]
    fn the_stored_form_reads_back_and_garbage_does_not_panic(
        fields in proptest::array::uniform4(proptest::collection::vec(0_u8.., 0..50)),
        key_id in "[a-z0-9]{0,32}",
        garbage in proptest::collection::vec(0_u8.., 0..200),
    ) {
        let [encapsulated, wrapped_key, nonce, ciphertext] = fields;
        let sealed = Sealed { key_id, encapsulated, wrapped_key, nonce, ciphertext };
        let bytes = sealed.to_bytes();
        proptest::prop_assert_eq!(&Sealed::from_bytes(&bytes).unwrap(), &sealed);
        proptest::prop_assert!(Sealed::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        proptest::prop_assert!(Sealed::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
        let _ = Sealed::from_bytes(&garbage);
    }
}
