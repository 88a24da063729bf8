internal import CLlhttp

/// What llhttp found, in its order. Each returns false after it has set `failure`.
extension HTTPRequestParser {
    fileprivate mutating func messageBegan() {
        head = pool.take()
        phase = .header
        headerByteCount = 0
        hostCount = 0
        transferEncodingCount = 0
        expectsContinue = false
        isVersionAccepted = false
    }

    fileprivate mutating func fail(_ error: HTTPServerError) -> Bool {
        failure = error
        return false
    }

    fileprivate mutating func appendTarget(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let head else { return fail(.malformedRequest) }
        head.bytes.append(contentsOf: bytes)
        head.targetCount = head.bytes.count
        return head.targetCount <= limits.targetByteCountMax || fail(.targetTooLong)
    }

    fileprivate mutating func checkVersion() -> Bool {
        guard llhttp.http_major == 1, llhttp.http_minor <= 1 else {
            return fail(.versionUnsupported)
        }
        isVersionAccepted = true
        head?.isVersion11 = llhttp.http_minor == 1
        return true
    }

    /// Trailers are counted and dropped: nothing here needs them, and merging them is unsafe.
    fileprivate mutating func countHeaderBytes(_ count: Int) -> Bool {
        headerByteCount += count
        return headerByteCount <= limits.headerByteCountMax || fail(.headerTooLarge)
    }

    fileprivate mutating func appendName(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard countHeaderBytes(bytes.count) else { return false }
        guard phase == .header, let head else { return true }
        if field.nameCount == 0 { field.nameStart = Int32(head.bytes.count) }
        for byte in bytes { head.bytes.append(ASCII.lowercased(byte)) }
        field.nameCount += Int32(bytes.count)
        return true
    }

    fileprivate mutating func appendValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard countHeaderBytes(bytes.count) else { return false }
        guard phase == .header, let head else { return true }
        if field.valueCount == 0 { field.valueStart = Int32(head.bytes.count) }
        head.bytes.append(contentsOf: bytes)
        field.valueCount += Int32(bytes.count)
        return true
    }

    fileprivate mutating func fieldEnded() -> Bool {
        guard countHeaderBytes(4) else { return false }
        guard phase == .header, let head else { return true }
        if field.valueCount == 0 { field.valueStart = Int32(head.bytes.count) }
        trimValue(head)
        guard head.fields.count < limits.headerFieldCountMax else { return fail(.headerTooLarge) }
        head.fields.append(field)
        let isAccepted = noteField(head)
        field = .init(nameStart: 0, nameCount: 0, valueStart: 0, valueCount: 0)
        return isAccepted
    }

    private mutating func trimValue(_ head: HTTPRequestHead) {
        while field.valueCount > 0 {
            let last = head.bytes[Int(field.valueStart + field.valueCount) - 1]
            guard last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") else { return }
            field.valueCount -= 1
        }
    }

    private mutating func noteField(_ head: HTTPRequestHead) -> Bool {
        switch field.nameCount {
        case 4 where ASCII.equals(head.name(of: field), "host"):
            hostCount += 1
        case 6 where ASCII.equals(head.name(of: field), "expect"):
            guard ASCII.equals(head.value(of: field), "100-continue") else {
                return fail(.expectationUnknown)
            }
            expectsContinue = true
        case 17 where ASCII.equals(head.name(of: field), "transfer-encoding"):
            transferEncodingCount += 1
            guard ASCII.equals(head.value(of: field), "chunked") else {
                return fail(.transferEncodingUnknown)
            }
        default: break
        }
        return true
    }

    fileprivate mutating func headersCompleted() -> Bool {
        guard let head else { return fail(.malformedRequest) }
        guard llhttp.method != UInt8(HTTP_CONNECT.rawValue) else { return fail(.methodUnknown) }
        guard hostCount == 1 || (hostCount == 0 && !head.isVersion11) else {
            return fail(.hostInvalid)
        }
        // HTTP/1.0 has no chunking; an intermediary may have seen another body (RFC 9112 §6.1).
        guard transferEncodingCount == 0 || (transferEncodingCount == 1 && head.isVersion11) else {
            return fail(.ambiguousLength)
        }
        do { try head.finishTarget() } catch { return fail(error) }
        head.method = HTTPMethod(llhttp: llhttp.method)
        // An ignored Upgrade must not end the parsing of this connection.
        llhttp.upgrade = 0
        expectsContinue = expectsContinue && head.isVersion11
        if transferEncodingCount == 0 {
            guard llhttp.content_length <= UInt64(limits.bodyByteCountMax) else {
                return fail(.bodyTooLarge)
            }
            body.reserveCapacity(min(Int(llhttp.content_length), HTTPRequestParser.reservedMax))
        }
        head.isKeepAlive = llhttp_should_keep_alive(&llhttp) != 0
        phase = .body
        headerByteCount = 0
        return true
    }

    /// A stated length alone reserves no more than this.
    private static let reservedMax = 64 * 1024

    fileprivate mutating func appendBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard body.count + bytes.count <= limits.bodyByteCountMax else {
            return fail(.bodyTooLarge)
        }
        body.append(contentsOf: bytes)
        return true
    }

    fileprivate mutating func chunkBegan() -> Bool {
        llhttp.content_length <= UInt64(limits.bodyByteCountMax - body.count)
            || fail(.bodyTooLarge)
    }

    fileprivate mutating func messageCompleted() {
        phase = .idle
    }
}

// llhttp keeps a pointer to its settings, so they live as long as the process.
nonisolated(unsafe) let parserSettings: UnsafePointer<llhttp_settings_t> = {
    let settings = UnsafeMutablePointer<llhttp_settings_t>.allocate(capacity: 1)
    llhttp_settings_init(settings)
    settings.pointee.on_message_begin = onMessageBegin
    settings.pointee.on_url = onTarget
    settings.pointee.on_version_complete = onVersion
    settings.pointee.on_header_field = onHeaderName
    settings.pointee.on_header_value = onHeaderValue
    settings.pointee.on_header_value_complete = onHeaderValueEnd
    settings.pointee.on_headers_complete = onHeadersEnd
    settings.pointee.on_chunk_header = onChunkHeader
    settings.pointee.on_chunk_extension_name = onChunkExtension
    settings.pointee.on_chunk_extension_value = onChunkExtension
    settings.pointee.on_body = onBody
    settings.pointee.on_message_complete = onMessageEnd
    return UnsafePointer(settings)
}()

private typealias LLHTTP = UnsafeMutablePointer<llhttp_t>

@inline(__always)
private func parser(_ llhttp: LLHTTP?) -> UnsafeMutablePointer<HTTPRequestParser> {
    guard let llhttp else { preconditionFailure("llhttp lost its parser") }
    return UnsafeMutableRawPointer(llhttp).assumingMemoryBound(to: HTTPRequestParser.self)
}

@inline(__always)
private func status(_ isAccepted: Bool) -> CInt {
    isAccepted ? 0 : CInt(bitPattern: HPE_USER.rawValue)
}

private func onMessageBegin(_ llhttp: LLHTTP?) -> CInt {
    parser(llhttp).pointee.messageBegan()
    return 0
}

private func onTarget(_ llhttp: LLHTTP?, _ at: UnsafePointer<CChar>?, _ count: Int) -> CInt {
    status(parser(llhttp).pointee.appendTarget(.init(start: at, count: count)))
}

private func onVersion(_ llhttp: LLHTTP?) -> CInt {
    status(parser(llhttp).pointee.checkVersion())
}

private func onHeaderName(_ llhttp: LLHTTP?, _ at: UnsafePointer<CChar>?, _ count: Int) -> CInt {
    status(parser(llhttp).pointee.appendName(.init(start: at, count: count)))
}

private func onHeaderValue(_ llhttp: LLHTTP?, _ at: UnsafePointer<CChar>?, _ count: Int) -> CInt {
    status(parser(llhttp).pointee.appendValue(.init(start: at, count: count)))
}

private func onHeaderValueEnd(_ llhttp: LLHTTP?) -> CInt {
    status(parser(llhttp).pointee.fieldEnded())
}

private func onHeadersEnd(_ llhttp: LLHTTP?) -> CInt {
    parser(llhttp).pointee.headersCompleted() ? 0 : -1
}

private func onChunkHeader(_ llhttp: LLHTTP?) -> CInt {
    parser(llhttp).pointee.chunkBegan() ? 0 : -1
}

private func onChunkExtension(
    _ llhttp: LLHTTP?, _ at: UnsafePointer<CChar>?, _ count: Int
) -> CInt {
    status(parser(llhttp).pointee.countHeaderBytes(count))
}

private func onBody(_ llhttp: LLHTTP?, _ at: UnsafePointer<CChar>?, _ count: Int) -> CInt {
    status(parser(llhttp).pointee.appendBody(.init(start: at, count: count)))
}

private func onMessageEnd(_ llhttp: LLHTTP?) -> CInt {
    parser(llhttp).pointee.messageCompleted()
    return CInt(bitPattern: HPE_PAUSED.rawValue)
}
