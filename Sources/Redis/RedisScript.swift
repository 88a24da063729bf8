internal import CCrypto

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
        digest = sha1(Array(source.utf8))
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

/// SHA-1 (FIPS 180-4) by OpenSSL, hexadecimal. A name, not a protection.
private func sha1(_ bytes: [UInt8]) -> String {
    var digest = [UInt8](repeating: 0, count: 20)
    var length: UInt32 = 0
    let status = EVP_Digest(bytes, bytes.count, &digest, &length, EVP_sha1(), nil)
    precondition(status == 1 && length == 20, "EVP_Digest failed")
    let digits = Array("0123456789abcdef".utf8)
    let text = digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    return String(decoding: text, as: UTF8.self)
}
