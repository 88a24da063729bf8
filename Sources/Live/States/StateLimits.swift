/// Bounds of states.
package struct StateLimits: Sendable {
    /// Bytes of a request's body, and of a value that another client stored.
    package var valueByteCountMax = 64 << 10
    /// Bytes of one item of a list.
    package var itemByteCountMax = 1 << 10
    /// Bytes of all items of a list that another client made; more where the bounds of the items
    /// allow more.
    package var listByteCountMax = 1 << 20
    /// Writes of one state that may wait for PostgreSQL; further ones are refused.
    package var historyBacklogCountMax = 100_000

    /// Beyond ± this, readers that keep numbers as doubles lose digits: no counter goes there.
    package static let counterMax: Int64 = 9_007_199_254_740_991

    package init() {}
}
