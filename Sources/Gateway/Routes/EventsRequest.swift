internal import HTTPServer
internal import Live
internal import Packs

/// What a client wants to listen to, and from where on.
struct EventsRequest: Equatable {
    /// Without repeats, in the client's order.
    var channels: [String] = []
    /// The last id that it has got; nil begins now.
    var lastID: UInt64?

    private static let parameters: Set<String> = [
        "channels", "last_event_id", "access_token", "user", "token",
    ]

    /// - Throws: 400 for what cannot be meant, 404 for a channel that is not there for this caller.
    init(
        _ request: HTTPRequest, _ rules: LiveRules, owner: String?, channelCountMax: Int
    ) throws(Problem) {
        var lastID: String?
        var seen: Set<String> = []
        var names: Set<String> = []
        for (name, value) in request.query {
            guard names.insert(name).inserted || name == "channels" else {
                throw EventsRequest.problem(
                    String(name.prefix(60)), "A parameter is there twice.", "is there twice")
            }
            switch name {
            case "channels":
                for channel in value.split(separator: ",").map(String.init)
                where seen.insert(channel).inserted {
                    channels.append(channel)
                }
            case "last_event_id": lastID = value
            default: try EventsRequest.requireKnown(name)
            }
        }
        // A browser repeats the URL that it has, with the id of now in the header.
        if let header = request.headers["last-event-id"], !header.isEmpty { lastID = header }
        guard !channels.isEmpty else {
            throw EventsRequest.problem("channels", "The request names no channel.", "is required")
        }
        guard channels.count <= channelCountMax else {
            throw EventsRequest.problem(
                "channels", "A stream has at most \(channelCountMax) channels.", "too many")
        }
        seen = []
        channels = try channels.map { name throws(Problem) in
            try rules.channel(name, for: owner).name
        }.filter { seen.insert($0).inserted }
        if let lastID, !lastID.isEmpty {
            guard let id = ChannelRegistry.position(lastID) else { throw EventsRequest.wrongID }
            self.lastID = id
        }
    }

    /// The id was never one of ours.
    static let wrongID = problem(
        "Last-Event-ID", "Last-Event-ID is no id that a stream gave.", "was never given")

    private static func requireKnown(_ name: String) throws(Problem) {
        if parameters.contains(name) { return }
        throw problem(
            String(name.prefix(60)), "The stream of events has no such parameter.", "is not known")
    }

    private static func problem(_ field: String, _ detail: String, _ message: String) -> Problem {
        Problem(
            field == "Last-Event-ID" ? .invalidHeader : .invalidParameter, detail,
            hint: "Write /events?channels=first,second.", errors: [FieldError(field, message)])
    }
}

extension LiveRules {
    /// The rule of a channel that is there for this owner, and the channel's name with UUIDs as
    /// PostgreSQL writes them; nil stands for a service that acts for nobody.
    ///
    /// - Throws: 404, also where it is another's: nothing is disclosed.
    func channel(
        _ name: String, for owner: String?
    ) throws(Problem) -> (rule: ChannelRule, name: String) {
        if let (rule, written) = channel(name) {
            let values = written.map(LiveRules.canonical)
            let found = (rule, rule.pattern.filled(values))
            guard let owner else { return found }
            let place = rule.pattern.places.firstIndex(of: ownerPlace)
            if let place, values[place] == LiveRules.canonical(owner) { return found }
        }
        throw Problem(
            .unknownChannel, "The pack has no such channel, or it is not the caller's.",
            hint: "There are: \(channels.map(\.pattern.text).joined(separator: ", ")).")
    }

    private static func canonical(_ value: String) -> String {
        isUUID(value) ? value.lowercased() : value
    }
}
