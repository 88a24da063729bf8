internal import Live
internal import Packs
internal import Postgres
internal import Redis

/// The configuration of a pack and how it is read. Made once, shared by all loops.
final class ServedConfiguration: Sendable {
    /// The segment behind the pack.
    static let path = "configuration"

    let copies: ConfigurationCopies
    let write: RedisScript
    let values: Statement

    init(_ pack: Pack, _ rule: ConfigurationRule, _ limits: ChannelLimits) {
        copies = ConfigurationCopies(pack: pack.name, rule: rule)
        write = ConfigurationCopies.writeScript(limits)
        values = ConfigurationSQL.values(pack.name, rule)
    }
}
