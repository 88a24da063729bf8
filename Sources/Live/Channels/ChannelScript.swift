/// What every script that publishes begins with: `announce(channel, message)` in Lua.
///
/// An id is the time in microseconds, or one more than the last: it grows over all channels, also
/// after Redis lost everything, and stays exact in a double until the year 2255. The id goes out
/// on an internal channel just before the message, so that on a subscriber's connection the two are
/// neighbours; a message without an id before it came from another client.
package enum ChannelScript {
    /// The history of a channel: a stream whose entries have the message in `m` and `<id>-0` as id.
    package static let historyPrefix = "fourfold:channel:"
    /// Where the id of a message goes before the message.
    package static let sentPrefix = "fourfold:sent:"
    /// The greatest id that was given.
    package static let lastKey = "fourfold:channels:last"
    /// The first id since Redis had nothing: what was sent before is not in any history.
    package static let sinceKey = "fourfold:channels:since"
    /// Which run of the Redis server the histories were last seen on.
    static let runKey = "fourfold:channels:run"
    /// Ids without a message: who gets one has got everything before it.
    static let positionChannel = "fourfold:channels:position"

    /// - Parameter limits: Of every history.
    /// - Returns: Lua that defines `announce`, which answers the id as text and the count of
    ///   Redis clients that were subscribed, and `position`, which answers the greatest id. Where
    ///   there is none, or what stands there is no number, the histories begin anew.
    package static func prelude(_ limits: ChannelLimits) -> String {
        """
        local function clock()
          local time = redis.call('TIME')
          return time[1] * 1000000 + time[2]
        end
        local function position()
          local last = redis.pcall('GET', '\(lastKey)')
          if type(last) == 'string' and string.find(last, '^%d+$') and #last <= 16 then
            return last
          end
          local now = string.format('%.0f', clock())
          redis.call('SET', '\(sinceKey)', now)
          redis.call('SET', '\(lastKey)', now)
          return now
        end
        local function announce(channel, message)
          local id = string.format('%.0f', math.max(position() + 1, clock()))
          local history = '\(historyPrefix)' .. channel
          redis.call('SET', '\(lastKey)', id)
          redis.call('XADD', history, 'MAXLEN', \(limits.historyCountMax), id .. '-0', 'm', message)
          redis.call('PEXPIRE', history, \(limits.historyMilliseconds))
          redis.call('PUBLISH', '\(sentPrefix)' .. channel, id)
          return id, redis.call('PUBLISH', channel, message)
        end

        """
    }
}
