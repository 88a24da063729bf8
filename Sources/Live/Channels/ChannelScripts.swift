internal import Redis

/// The scripts of publishing and of reading histories. Made once, shared by all loops.
package struct ChannelScripts: Sendable {
    package let limits: ChannelLimits
    /// Arguments: channel, message. Answers the id and the count of subscribed Redis clients.
    let publish: RedisScript
    /// Publishes a new id on the channel of positions.
    let mark: RedisScript
    /// Argument: the greatest id seen. Notices what Redis has forgotten; answers the position.
    let check: RedisScript
    /// Keys: histories. Arguments: an id, entries of each history, bytes of all; see
    /// ``HistoryPage``.
    let page: RedisScript

    package init(_ limits: ChannelLimits) {
        self.limits = limits
        let prelude = ChannelScript.prelude(limits)
        publish = RedisScript(name: "publish", source: prelude + publishSource)
        mark = RedisScript(name: "mark", source: prelude + markSource)
        check = RedisScript(name: "check", source: prelude + markFunction + checkSource)
        page = RedisScript(name: "page", source: prelude + pageSource)
    }
}

private let publishSource = """
    local id, receivers = announce(ARGV[1], ARGV[2])
    return {id, receivers}
    """

private let markFunction = """
    local function mark(least)
      local id = string.format('%.0f', math.max(position() + 1, clock(), least))
      redis.call('SET', '\(ChannelScript.lastKey)', id)
      return id
    end

    """

private let markSource = markFunction + """
    local id = mark(0)
    redis.call('PUBLISH', '\(ChannelScript.positionChannel)', id)
    return id
    """

/// Redis came back without the last messages if it never gave an id that was seen, or if it started
/// again from a snapshot: a log of appended writes keeps all that was answered. INFO may be
/// forbidden to this user; then only the id tells.
private let checkSource = """
    local function info(section)
      local text = redis.pcall('INFO', section)
      return type(text) == 'string' and text or ''
    end
    local last = position()
    local isForgetful = tonumber(last) < tonumber(ARGV[1])
    local run = string.match(info('server'), 'run_id:(%x+)')
    local known = redis.call('GET', '\(ChannelScript.runKey)')
    if run and run ~= known then
      if known and not string.find(info('persistence'), 'aof_enabled:1') then
        isForgetful = true
      end
      redis.pcall('SET', '\(ChannelScript.runKey)', run)
    end
    if isForgetful then
      last = mark(ARGV[1] + 1)
      redis.call('SET', '\(ChannelScript.sinceKey)', last)
    end
    return last
    """

/// Entries up to the horizon are whole: no history has unread ones before it.
private let pageSource = """
    local last = position()
    local reply = {last, redis.call('GET', '\(ChannelScript.sinceKey)') or '0',
      string.format('%.0f', clock()), {}, 0, ARGV[1], {}}
    local count = tonumber(ARGV[2])
    local entries, horizon, facts = {}, nil, reply[4]
    for index, key in ipairs(KEYS) do
      local found = redis.call('XRANGE', key, '(' .. ARGV[1] .. '-0', '+', 'COUNT', count)
      for _, entry in ipairs(found) do
        local id = string.match(entry[1], '^%d+')
        entries[#entries + 1] = {tonumber(id), id, index, entry[2][2]}
      end
      if #found == count then
        local id = entries[#entries][1]
        if not horizon or id < horizon then horizon = id end
      end
      if redis.call('EXISTS', key) == 1 then
        local stream = redis.call('XINFO', 'STREAM', key)
        local fact = {0, 0, 0}
        for place = 1, #stream, 2 do
          if stream[place] == 'length' then fact[1] = stream[place + 1] end
          if stream[place] == 'entries-added' then fact[2] = stream[place + 1] end
          if stream[place] == 'first-entry' and stream[place + 1] then
            fact[3] = string.match(stream[place + 1][1], '^%d+')
          end
        end
        facts[#facts + 1] = fact
      end
    end
    table.sort(entries, function(one, other) return one[1] < other[1] end)
    local page, byteCount = reply[7], 0
    for _, entry in ipairs(entries) do
      if horizon and entry[1] > horizon then break end
      if byteCount > tonumber(ARGV[3]) then
        reply[5] = 1
        break
      end
      page[#page + 1] = entry[2]
      page[#page + 1] = entry[3]
      page[#page + 1] = entry[4]
      byteCount = byteCount + #entry[4]
      reply[6] = entry[2]
    end
    if horizon then reply[5] = 1 end
    return reply
    """
