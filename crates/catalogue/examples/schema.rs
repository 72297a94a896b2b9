//! Prints a JSON Schema as it is kept in `schemas/`: `cargo run -p catalogue --example schema -- entry`.

#![expect(clippy::print_stdout, reason = "an example, not a library")]

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    for kind in catalogue::SchemaKind::ALL.into_iter().filter(|kind| kind.name() == wanted) {
        print!("{}", catalogue::schema(kind));
    }
}
