/// Events of a stream that tell of itself. No pattern of a channel can be named like one.
package enum StreamNotice {
    /// Messages may be missing before this point.
    static func reset(_ gap: HistoryGap, id: UInt64) -> [UInt8] {
        event("reset", reason: gap.rawValue, id: id)
    }

    /// The last event of a reader that was too slow.
    static let dropped = event("dropped", reason: "slow_reader")
    /// Redis is away: nothing arrives until ``recovered``.
    static let degraded = event("degraded", reason: "redis_unavailable")
    /// What came meanwhile was told before this.
    static let recovered = event("recovered", reason: "redis_available")
    /// The gateway stops; another one, or this one again, goes on from the last id.
    static let stopping = Array(": the gateway is stopping\n\n".utf8)

    private static func event(_ name: String, reason: String, id: UInt64 = 0) -> [UInt8] {
        ServerSentEvent.encode(id: id, event: name, data: Array("{\"reason\":\"\(reason)\"}".utf8))
    }
}
