internal import Packs

/// Writes the Lua of one state's scripts.
struct StateScriptWriter {
    let rule: StateRule
    let template: MessageTemplate
    let states: StateLimits
    let channels: ChannelLimits

    private var itemCountMax: Int {
        if case .list(let count) = rule.kind { count } else { 0 }
    }

    private var listByteCountMax: Int {
        max(states.listByteCountMax, itemCountMax * states.itemByteCountMax)
    }

    private var hasChannel: Bool { rule.channel != nil }

    /// The channel is the last key.
    private var prelude: String {
        (hasChannel ? ChannelScript.prelude(channels) : "") + StateScriptWriter.functions
    }

    var read: String {
        switch rule.kind {
        case .object, .word, .counter:
            """
            if redis.call('STRLEN', KEYS[1]) > \(states.valueByteCountMax) then
              return {{ok = '\(StateScripts.tooLarge)'}}
            end
            return redis.call('GET', KEYS[1])

            """
        case .list:
            "local items = redis.call('LRANGE', KEYS[1], 0, \(itemCountMax - 1))\n"
                + boundItems + "return items\n"
        }
    }

    var replace: String {
        switch rule.kind {
        case .object, .word: prelude + replaceText
        case .list: prelude + readList + replaceList + finishList
        case .counter(let least):
            prelude + StateScriptWriter.integer + readText + refuse + "local sum = ARGV[2]\n"
                + finishCounter(least)
        }
    }

    var change: String {
        switch rule.kind {
        case .object, .word: prelude + replaceText
        case .list: prelude + readList + pushItem + finishList
        case .counter(let least):
            prelude + StateScriptWriter.integer + readText + refuse + addToCounter
                + finishCounter(least)
        }
    }

    /// Works whatever another client put there, so that a broken value can be removed.
    var delete: String {
        let read =
            switch rule.kind {
            case .list: readList
            case .object, .word, .counter: readText
            }
        var lua = StateScriptWriter.functions + read + refuse
        if rule.history != nil {
            lua += historyRoom
            lua += """
                local id = redis.call('XADD', KEYS[2], '*', 'r', ARGV[2])
                redis.call('SET', KEYS[3], id)

                """
        }
        return lua + "return redis.call('DEL', KEYS[1])\n"
    }

    // MARK: Pieces

    /// `tag`: the first 16 digits of the SHA-1 of what is stored, as ``StateTag`` makes it.
    /// `accepts`: whether the present tag, false for none, meets a condition.
    /// `quote`: a text as JSON, whatever bytes it has.
    private static let functions = """
        local function tag(text)
          return text and string.sub(redis.sha1hex(text), 1, 16)
        end
        local function accepts(condition, exists, present)
          if condition == '' then return true end
          if condition == '*' then return exists end
          if condition == '-' then return not exists end
          return present and string.find(condition, ',' .. present .. ',', 1, true) ~= nil
        end
        local function escaped(byte) return string.format('\\\\u%04x', string.byte(byte)) end
        local function wellformed(text)
          if not string.find(text, '[\\128-\\255]') then return true end
          local rest = string.gsub(text, '[\\194-\\223][\\128-\\191]', ' ')
          rest = string.gsub(rest, '\\224[\\160-\\191][\\128-\\191]', ' ')
          rest = string.gsub(rest, '\\237[\\128-\\159][\\128-\\191]', ' ')
          rest = string.gsub(rest, '[\\225-\\236\\238\\239][\\128-\\191][\\128-\\191]', ' ')
          rest = string.gsub(rest, '\\240[\\144-\\191][\\128-\\191][\\128-\\191]', ' ')
          rest = string.gsub(rest, '\\244[\\128-\\143][\\128-\\191][\\128-\\191]', ' ')
          rest = string.gsub(rest, '[\\241-\\243][\\128-\\191][\\128-\\191][\\128-\\191]', ' ')
          return not string.find(rest, '[\\128-\\255]')
        end
        local function quote(text)
          if string.find(text, '[^\\32\\33\\35-\\91\\94-\\126]') then
            if not wellformed(text) then return 'null' end
            text = string.gsub(text, '[%z\\1-\\31"\\\\\\127]', escaped)
          end
          return '"' .. text .. '"'
        end

        """

    /// `integer`: whether a text is a number as Redis writes it and 64 bits hold it, which is what
    /// ``StateValue`` reads.
    private static let integer = """
        local function integer(text)
          if #text > 20 then return false end
          local digits = text == '0' and text or string.match(text, '^%-?([1-9]%d*)$')
          if not digits then return false end
          local most = string.sub(text, 1, 1) == '-' and '9223372036854775808'
            or '9223372036854775807'
          return #digits < #most or #digits == #most and digits <= most
        end

        """

    /// `previous`: the text that is there, or false. `exists`: whether anything is.
    private var readText: String {
        """
        local previous = redis.pcall('GET', KEYS[1])
        local exists = previous ~= false
        if type(previous) == 'table' then previous = false end

        """
    }

    /// `previous`: the items as one text for the tag, or false. `exists`: whether anything is.
    private var readList: String {
        """
        local items = redis.pcall('LRANGE', KEYS[1], 0, \(itemCountMax - 1))
        local exists = items.err ~= nil or #items > 0
        local previous = false
        if items.err == nil and exists then
          local lengths = {}
          for index, item in ipairs(items) do lengths[index] = #item .. ':' .. item end
          previous = table.concat(lengths)
        end

        """
    }

    private var refuse: String {
        """
        if ARGV[1] ~= '' and not accepts(ARGV[1], exists, tag(previous)) then
          return {{ok = '\(StateScripts.precondition)'}, tag(previous) or ''}
        end

        """
    }

    private var historyRoom: String {
        """
        if redis.call('XLEN', KEYS[2]) >= \(states.historyBacklogCountMax) then
          return {{ok = '\(StateScripts.historyFull)'}}
        end

        """
    }

    private var expiry: String { rule.ttlSeconds.map { ", 'PX', \($0 * 1_000)" } ?? "" }

    private var replaceText: String {
        let needsPrevious = hasChannel && template.holes.contains(.previous)
        var lua = ""
        if needsPrevious {
            lua += readText + refuse
        } else {
            lua += "if ARGV[1] ~= '' then\n" + readText + refuse + "end\n"
        }
        if rule.history != nil {
            // What can fail comes first: after its first write a script cannot be undone.
            lua += historyRoom
            lua += """
                redis.call('XADD', KEYS[2], '*', 'r', ARGV[\(argumentCount)], 'v', ARGV[2])
                redis.call('DEL', KEYS[3])

                """
        }
        lua += "redis.call('SET', KEYS[1], ARGV[2]\(expiry))\n"
        return lua + publish(value: "ARGV[2]") + "return 1\n"
    }

    /// Items come as `<length>:<item>`, joined.
    private var replaceList: String {
        refuse + """
            redis.call('DEL', KEYS[1])
            for index = \(firstPart + partCount), #ARGV do
              redis.call('RPUSH', KEYS[1], ARGV[index])
            end

            """
    }

    private var pushItem: String {
        refuse + """
            if items.err ~= nil then return {{ok = '\(StateScripts.unreadable)'}} end

            """ + boundItems + """
            local count = 0
            for _, item in ipairs(items) do
              if not wellformed(item) then return {{ok = '\(StateScripts.unreadable)'}} end
              if item == ARGV[2] then count = count + 1 end
            end
            redis.call('LPUSH', KEYS[1], ARGV[2])
            -- What is counted is what stays: the rest may hold the item as well.
            redis.call('LTRIM', KEYS[1], 0, \(itemCountMax))
            if count > 0 then redis.call('LREM', KEYS[1], -count, ARGV[2]) end

            """
    }

    /// Refuses `items` that no answer may hold.
    private var boundItems: String {
        """
        local bytes = 0
        for _, item in ipairs(items) do
          bytes = bytes + #item
          if #item > \(states.valueByteCountMax) or bytes > \(listByteCountMax) then
            return {{ok = '\(StateScripts.tooLarge)'}}
          end
        end

        """
    }

    private var finishList: String {
        var lua = "redis.call('LTRIM', KEYS[1], 0, \(itemCountMax - 1))\n"
        if let ttl = rule.ttlSeconds {
            lua += "redis.call('PEXPIRE', KEYS[1], \(ttl * 1_000))\n"
        }
        lua += "local now_items = redis.call('LRANGE', KEYS[1], 0, -1)\n"
        if hasChannel && template.holes.contains(.value) {
            lua += """
                local quoted = {}
                for index, item in ipairs(now_items) do quoted[index] = quote(item) end
                local value = '[' .. table.concat(quoted, ',') .. ']'

                """
        }
        return lua + publish(value: "value") + "return now_items\n"
    }

    private var addToCounter: String {
        """
        local before = previous or '0'
        if exists and not previous or not integer(before) then
          return {{ok = '\(StateScripts.unreadable)'}}
        end
        if math.abs(tonumber(before)) > \(StateLimits.counterMax) then
          return {{ok = '\(StateScripts.outOfRange)'}}
        end
        local sum = string.format('%.0f', tonumber(before) + tonumber(ARGV[2]))

        """
    }

    /// Both terms are at most 2^53, so that the sum's comparisons are exact.
    private func finishCounter(_ least: Int64) -> String {
        """
        if tonumber(sum) < \(least) then return {{ok = '\(StateScripts.belowLeast)'}} end
        if math.abs(tonumber(sum)) > \(StateLimits.counterMax) then
          return {{ok = '\(StateScripts.outOfRange)'}}
        end
        redis.call('SET', KEYS[1], sum\(expiry))

        """ + publish(value: "sum") + "return sum\n"
    }

    // MARK: Messages

    private var firstPart: Int { 3 }

    /// Values that the script puts between the parts.
    private var holes: [MessageTemplate.Hole] { template.holes(of: rule) }

    private var partCount: Int { hasChannel ? holes.count + 1 : 0 }

    /// The row's id comes last where there is a history.
    private var argumentCount: Int { firstPart + partCount }

    private func publish(value: String) -> String {
        guard hasChannel else { return "" }
        var lua = ""
        if holes.contains(.previous) {
            lua += "local was = 'null'\n"
            switch rule.kind {
            case .word:
                lua += """
                    if previous and #previous <= \(states.valueByteCountMax) then
                      was = quote(previous)
                    end

                    """
            case .counter:
                lua += """
                    if previous and integer(previous) then
                      was = string.format('%.0f', tonumber(previous))
                    end

                    """
            case .object, .list: break
            }
        }
        var message = ["ARGV[\(firstPart)]"]
        for (index, hole) in holes.enumerated() {
            switch hole {
            case .previous: message.append("was")
            case .value: message.append(value)
            case .now: message.append("string.format('%.0f', math.floor(clock() / 1000))")
            }
            message.append("ARGV[\(firstPart + index + 1)]")
        }
        return lua + "announce(KEYS[#KEYS], \(message.joined(separator: " .. ")))\n"
    }
}

extension MessageTemplate {
    /// What is left to the script: the value of an object or a word is in the request.
    func holes(of rule: StateRule) -> [Hole] {
        switch rule.kind {
        case .object, .word: holes.filter { $0 != .value }
        case .list, .counter: holes
        }
    }
}
