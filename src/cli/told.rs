//! What a server told, for a person or for a program.

use super::context::{Context, print};
use crate::error::Result;
use crate::output::object;
use crate::wire::userinfo::Told;

/// Prints it as a table, or as the server wrote it.
pub(super) fn print_told(context: &Context, told: &Told, json: bool) -> Result<()> {
    if json {
        print(&[told.text.expose(), &b"\n"[..]].concat())
    } else {
        print(object::table(&told.members).render(context.layout()).as_bytes())
    }
}
