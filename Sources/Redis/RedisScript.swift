/// A Lua script that Redis runs by its digest. Made once, used by every loop.
package final class RedisScript: Sendable {
    /// For logs and metrics.
    package let name: String
    package let source: String
    /// The SHA-1 of the source, hexadecimal: the name Redis gives a script.
    package let digest: String

    private let bySource: [UInt8]
    private let byDigest: [UInt8]

    package init(name: String, source: String) {
        self.name = name
        self.source = source
        digest = String(decoding: SHA1.digits(Array(source.utf8)), as: UTF8.self)
        bySource = RedisCommand(["EVAL", source]).words
        byDigest = RedisCommand(["EVALSHA", digest]).words
    }

    func command(_ keys: [RedisArgument], _ arguments: [RedisArgument]) -> RedisCommand {
        let byteCount = keys.reduce(16) { $0 + $1.byteCountEstimate }
        var command = RedisCommand(
            prefix: byDigest, wordCount: 2,
            reserving: arguments.reduce(byteCount) { $0 + $1.byteCountEstimate })
        command.append(Int64(keys.count))
        for key in keys { command.append(key) }
        for argument in arguments { command.append(argument) }
        return command
    }

    /// The same call with the source, which Redis keeps from then on.
    func commandBySource(_ command: RedisCommand) -> RedisCommand {
        RedisCommand(
            prefix: bySource + command.words[byDigest.count...], wordCount: command.wordCount,
            reserving: 0)
    }
}
