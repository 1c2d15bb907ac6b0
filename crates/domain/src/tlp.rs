//! The Traffic Light Protocol 2.0: how far a text may travel. It is enforced, not just shown.

use crate::codes::code_list;

code_list! {
    /// A handling label of TLP 2.0, from the most open to the most closed. The default is AMBER+STRICT.
    #[derive(Default)]
    Tlp in "tlp" {
        Clear = "CLEAR", Green = "GREEN", Amber = "AMBER", #[default] AmberStrict = "AMBER+STRICT", Red = "RED",
    }
}

impl Tlp {
    /// Whether the text itself may go out on the channels. Above GREEN a notice is only a pointer to it.
    pub fn allows_text(self) -> bool {
        self <= Self::Green
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_from_open_to_closed() {
        assert!(Tlp::ALL.is_sorted());
        let with_text: Vec<_> = Tlp::ALL.iter().filter(|tlp| tlp.allows_text()).collect();
        assert_eq!(with_text, [&Tlp::Clear, &Tlp::Green]);
        assert_eq!(Tlp::default().as_str(), "AMBER+STRICT");
        assert_eq!("AMBER+STRICT".parse(), Ok(Tlp::AmberStrict));
        assert!("amber".parse::<Tlp>().unwrap_err().nearest.contains(&"AMBER"));
    }
}
