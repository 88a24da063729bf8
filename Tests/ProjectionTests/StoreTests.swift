import Testing

/// Everything that writes into the real stores, one test after the other: they share labels and
/// classes.
@Suite("Projection on real stores", .serialized)
struct StoreTests {}
