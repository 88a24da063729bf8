internal import JSON
package import Packs
package import Redis

/// A value of a pack's configuration, as PostgreSQL has it.
package struct ConfigurationValue: Equatable, Sendable {
    package var name: String
    /// JSON.
    package var value: [UInt8]

    package init(name: String, value: [UInt8]) {
        self.name = name
        self.value = value
    }
}

/// The copies of configuration in Redis, one key for each name. A hash beside them keeps the
/// revision of each copy, which was drawn before PostgreSQL was read: of two readers the one with
/// the greater revision read later, so an older value never takes the place of a newer one.
package struct ConfigurationCopies: Sendable {
    /// The hash: a name's revision.
    package let revisionsKey: String
    private let keyPrefix: String
    private let keySuffix: String
    private let channel: String

    package init(pack: String, rule: ConfigurationRule) {
        revisionsKey = "fourfold:config:\(pack)"
        let pieces = rule.key.text.split(separator: "{", omittingEmptySubsequences: false)
        keyPrefix = String(pieces[0])
        keySuffix = String(pieces[1].drop { $0 != "}" }.dropFirst())
        channel = rule.channel?.text ?? ""
    }

    /// Begins with `announce`; defines `configure(revisions, revision, channel, prefix, suffix,
    /// entries)`, where entries are a name, its value and the message about it in turn, and no
    /// other names are left.
    package static let prelude = """
        local function configure(revisions, revision, channel, prefix, suffix, entries)
          local isKnown = redis.call('EXISTS', revisions) == 1
          local kept = {}
          for i = 1, #entries, 3 do
            local name, key = entries[i], prefix .. entries[i] .. suffix
            kept[name] = true
            local before = redis.call('HGET', revisions, name)
            if not before or tonumber(before) < tonumber(revision) then
              redis.call('HSET', revisions, name, revision)
              if redis.pcall('GET', key) ~= entries[i + 1] then
                redis.call('SET', key, entries[i + 1])
                if isKnown and channel ~= '' then pcall(announce, channel, entries[i + 2]) end
              end
            end
          end
          for _, name in ipairs(redis.call('HKEYS', revisions)) do
            local before = redis.call('HGET', revisions, name)
            if not kept[name] and tonumber(before) < tonumber(revision) then
              redis.call('HDEL', revisions, name)
              redis.call('DEL', prefix .. name .. suffix)
              if channel ~= '' then pcall(announce, channel, cjson.encode({name = name})) end
            end
          end
        end

        """

    /// What `configure` takes behind the revision: the three texts, then the entries.
    package func arguments(_ values: [ConfigurationValue]) -> [RedisArgument] {
        [.text(channel), .text(keyPrefix), .text(keySuffix)] + entries(values)
    }

    /// Without names that cannot stand in a key.
    package func entries(_ values: [ConfigurationValue]) -> [RedisArgument] {
        values.filter { KeyPattern.isValue($0.name) }.flatMap { value -> [RedisArgument] in
            [.text(value.name), .bytes(value.value), .text("{\"name\":\"\(value.name)\"}")]
        }
    }

    /// `KEYS` the hash; `ARGV` the revision, then ``arguments(_:)``.
    package static func writeScript(_ limits: ChannelLimits) -> RedisScript {
        RedisScript(
            name: "configuration_write",
            source: ChannelScript.prelude(limits) + prelude + """
                local entries = {}
                for i = 5, #ARGV do entries[i - 4] = ARGV[i] end
                configure(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], entries)
                return 1
                """)
    }

    /// Bytes of all names and values together: what a gateway can store at most. More is not
    /// brought here, on a connection that others share.
    static let byteCountMax = 16 << 20

    /// `KEYS` the hash; `ARGV` what stands before and behind the name in a key. Answers names and
    /// values in turn, sorted; nothing where a copy is missing or no copy at all.
    package static let readScript = RedisScript(
        name: "configuration_read",
        source: """
            local names = redis.call('HKEYS', KEYS[1])
            table.sort(names)
            local found, bytes = {}, 0
            for _, name in ipairs(names) do
              local key = ARGV[1] .. name .. ARGV[2]
              local count = redis.pcall('STRLEN', key)
              if type(count) ~= 'number' then return {} end
              bytes = bytes + #name + count
              if bytes > \(byteCountMax) then return {} end
              local value = redis.call('GET', key)
              if not value then return {} end
              found[#found + 1] = name
              found[#found + 1] = value
            end
            return found
            """)

    /// Arguments of ``readScript``.
    package var readArguments: [RedisArgument] { [.text(keyPrefix), .text(keySuffix)] }

    /// Nil where Redis has no whole copy, or one that another client wrote and that is no JSON.
    package static func values(_ reply: RedisReply) -> [ConfigurationValue]? {
        guard let words = reply.array, !words.isEmpty, words.count % 2 == 0 else { return nil }
        var values: [ConfigurationValue] = []
        for index in stride(from: 0, to: words.count, by: 2) {
            guard let name = words[index].string, case .bytes(let value) = words[index + 1],
                (try? JSONDocument.parse(value)) != nil
            else { return nil }
            values.append(ConfigurationValue(name: name, value: value))
        }
        return values
    }
}
