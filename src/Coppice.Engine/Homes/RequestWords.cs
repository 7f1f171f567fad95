using Coppice.Core;

namespace Coppice.Engine;

/// <summary>Requests in the words of the command line, for whoever finds a domain locked.</summary>
internal static class RequestWords
{
    public static string Of(Request request) => request switch
    {
        DefineDomain => "define",
        UndefineDomain => "undefine",
        StartDomain => "start",
        StopDomain => "stop",
        KillDomain => "kill",
        PauseDomain => "pause",
        ResumeDomain => "resume",
        RebootDomain => "reboot",
        CreateSnapshot => "snapshot create",
        RevertSnapshot => "snapshot revert",
        UndoRevert => "snapshot undo",
        DeleteSnapshot => "snapshot delete",
        EditSnapshot => "snapshot edit",
        SetCurrentSnapshot => "snapshot current",
        _ => request.GetType().Name,
    };
}
