internal import HTTPServer
internal import JSON
internal import Live
internal import Packs
internal import Redis
internal import Runtime

/// `/v1/{pack}/events` and `/v1/{pack}/channels/{channel}`.
extension Gateway {
    private static let streamHeaders: HTTPHeaders = [
        "Content-Type": "text/event-stream", "Cache-Control": "no-store",
        // A proxy must not collect events.
        "X-Accel-Buffering": "no",
    ]

    func events(
        _ context: RequestContext, _ served: ServedPack
    ) async throws(Problem) -> HTTPResponse {
        try requireMethod(context.method, [.get, .head])
        let request = try EventsRequest(
            context.request, served.pack.live, owner: context.caller.owner,
            channelCountMax: stores.channels.channelCountMax)
        if context.method == .head {
            return HTTPResponse(status: 200, headers: Gateway.streamHeaders, body: .stream { _ in })
        }
        do throws(EventStreamError) {
            let opening = try await stores.channels.open(
                request.channels, after: request.lastID, deadline: context.deadline)
            return HTTPResponse(
                status: 200, headers: Gateway.streamHeaders, body: .stream { opening.begin($0) })
        } catch {
            throw Gateway.problem(error)
        }
    }

    private static func problem(_ error: EventStreamError) -> Problem {
        switch error {
        case .unavailable:
            .unavailable(
                .storeUnavailable, "Redis delivers nothing at present.",
                retryAfter: .seconds(1))
        case .tooMany:
            .unavailable(
                .overloaded, "There are as many streams as this gateway may have.",
                retryAfter: .seconds(5))
        case .future: EventsRequest.wrongID
        }
    }

    func channel(
        _ context: RequestContext, _ served: ServedPack, name: String
    ) async throws(Problem) -> HTTPResponse {
        try requireMethod(context.method, [.post])
        try context.requireParameters()
        let (rule, name) = try served.pack.live.channel(name, for: context.caller.owner)
        guard rule.isPublishable else {
            throw Problem(.forbidden, "Only the gateway itself publishes on this channel.")
        }
        let message = try message(context, served, rule)
        do throws(RedisError) {
            let sent = try await stores.channels.publish(
                message, on: name, deadline: context.deadline)
            var writer = JSONWriter(capacity: 64)
            writer.beginObject()
            writer.field("id", String(sent.id))
            writer.field("receivers", sent.receiverCount)
            writer.endObject()
            return HTTPResponse(status: 200, headers: .json, body: .bytes(writer.bytes))
        } catch {
            throw Problem(error)
        }
    }

    /// The body on one line.
    private func message(
        _ context: RequestContext, _ served: ServedPack, _ rule: ChannelRule
    ) throws(Problem) -> [UInt8] {
        let root = try context.json().root
        guard root.kind == .object else {
            throw Problem(.invalidBody, "A message is a JSON object.")
        }
        guard JSONNumberBounds().allow(root) else {
            throw Problem(
                .invalidValue, "The message holds a number that is too large.",
                errors: [FieldError("body", "holds a number that is too large")])
        }
        let message = root.serialized()
        let byteCountMax = stores.channels.messageByteCountMax
        guard message.count <= byteCountMax else {
            throw Problem(.bodyTooLarge, "A message has at most \(byteCountMax) bytes.")
        }
        let errors = served.errors(in: root, of: rule)
        guard errors.isEmpty else {
            throw Problem(
                .invalidValue, "The message does not fit the schema of the channel.",
                hint: "Correct the fields in errors.",
                errors: errors.map { FieldError($0.path.isEmpty ? "body" : $0.path, $0.message) })
        }
        return message
    }
}

extension HTTPBodyStream: EventSink {
    package func send(_ bytes: [UInt8]) -> Bool { write(bytes) == .sent }
}
