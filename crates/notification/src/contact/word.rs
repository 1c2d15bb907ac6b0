//! The word that proves to a contact that an SMS comes from the network: made at import, told on another road.

use rand::seq::IndexedRandom;
use tocsin_domain::language::Language;

/// Plain words of GSM-7 letters, at most 10 each; they mean the same harmless thing in no language of the network.
const WORDS: &[&str] = &[
    "acorn", "amber", "anchor", "apple", "apron", "arrow", "autumn", "badge", "bamboo", "banjo", "barley", "basket",
    "beacon", "birch", "blanket", "bottle", "bracket", "breeze", "bridge", "bronze", "bucket", "button", "cabin",
    "cactus", "candle", "canyon", "carpet", "castle", "cedar", "cello", "chalk", "cherry", "cinder", "circle",
    "clover", "cobalt", "comet", "copper", "coral", "cotton", "cradle", "crayon", "crystal", "cumin", "curtain",
    "cypress", "daisy", "dancer", "delta", "diamond", "dolphin", "donkey", "dragon", "easel", "ebony", "elbow",
    "ember", "engine", "fabric", "falcon", "feather", "fennel", "fiddle", "filter", "flannel", "forest", "fossil",
    "galaxy", "garden", "garlic", "ginger", "glacier", "goblet", "granite", "gravel", "guitar", "hammer", "harbor",
    "harvest", "hazel", "helmet", "heron", "honey", "indigo", "island", "ivory", "jacket", "jasmine", "jigsaw",
    "jungle", "kettle", "kitten", "ladder", "lagoon", "lantern", "lemon", "lentil", "library", "lilac", "linen",
    "lizard", "magnet", "mango", "maple", "marble", "meadow", "melon", "mirror", "mosaic", "mountain", "muffin",
    "mustard", "napkin", "nectar", "needle", "noodle", "nutmeg", "oasis", "oboe", "ocean", "orange", "orchard",
    "otter", "oyster", "paddle", "palace", "panther", "papaya", "parcel", "pebble", "pelican", "pencil", "pepper",
    "piano", "pigeon", "pillow", "planet", "plaster", "pocket", "poplar", "pumpkin", "puzzle", "quartz", "quiver",
    "rabbit", "radish", "raisin", "ribbon", "river", "rocket", "saddle", "saffron", "sandal", "scarf", "sesame",
    "shadow", "silver", "slate", "spiral", "sponge", "spruce", "stable", "sunset", "teapot", "thimble", "thunder",
    "ticket", "timber", "tomato", "topaz", "trumpet", "tulip", "tunnel", "turtle", "valley", "vanilla", "velvet",
    "violet", "violin", "walnut", "weaver", "willow", "window", "winter", "yarrow", "yellow", "zephyr", "zigzag",
];

/// Arabic words of at most 8 letters, without marks.
const ARABIC_WORDS: &[&str] = &[
    "قمر",
    "شمس",
    "نجمة",
    "وردة",
    "زيتون",
    "ليمون",
    "برتقال",
    "تفاح",
    "رمان",
    "عنب",
    "نخلة",
    "سنبلة",
    "ياسمين",
    "نرجس",
    "ريحان",
    "نعناع",
    "زعفران",
    "قرفة",
    "عسل",
    "سكر",
    "ملح",
    "خبز",
    "حليب",
    "قهوة",
    "شاي",
    "فنجان",
    "ابريق",
    "صحن",
    "ملعقة",
    "مفتاح",
    "باب",
    "نافذة",
    "جسر",
    "طريق",
    "حديقة",
    "غابة",
    "نهر",
    "بحيرة",
    "بحر",
    "موج",
    "شاطئ",
    "جزيرة",
    "جبل",
    "وادي",
    "صخرة",
    "رمل",
    "غيمة",
    "مطر",
    "ثلج",
    "ريح",
    "برق",
    "ربيع",
    "صيف",
    "خريف",
    "شتاء",
    "صباح",
    "مساء",
    "كتاب",
    "قلم",
    "دفتر",
    "ورقة",
    "لوحة",
    "مسطرة",
    "خيط",
    "ابرة",
    "ثوب",
    "قميص",
    "وشاح",
    "قبعة",
    "حذاء",
    "فراشة",
    "نحلة",
    "نملة",
    "حمامة",
    "صقر",
    "غزال",
    "حصان",
    "جمل",
    "ارنب",
    "سلحفاة",
    "سمكة",
    "دلفين",
    "عود",
    "ناي",
    "طبل",
    "كمان",
    "فانوس",
    "شمعة",
    "مصباح",
    "مراة",
];

/// A random word that a reader of this language can read and an SMS in it can hold.
pub(crate) fn shared_word(language: Language) -> String {
    let list = if language == Language::Ar { ARABIC_WORDS } else { WORDS };
    list.choose(&mut rand::rng()).copied().unwrap_or("lantern").to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn words_fit_an_sms() {
        assert!(WORDS.iter().all(|word| word.len() <= 10 && word.bytes().all(|byte| byte.is_ascii_lowercase())));
        assert!(ARABIC_WORDS.iter().all(|word| word.encode_utf16().count() <= 8));
        assert_eq!(WORDS.iter().collect::<HashSet<_>>().len(), WORDS.len());
        assert_eq!(ARABIC_WORDS.iter().collect::<HashSet<_>>().len(), ARABIC_WORDS.len());
        assert!(ARABIC_WORDS.contains(&shared_word(Language::Ar).as_str()));
        assert!(WORDS.contains(&shared_word(Language::Fr).as_str()));
    }
}
