namespace Coppice.Core;

/// <summary>
/// Plans that change a definition and nothing else. What it says for people and programs the guest has nothing of, so that may change while it runs,
/// is saved, or is merged; the sizes of its machine only while it is off. Snapshots have definitions of their own.
/// </summary>
internal static class DomainEditing
{
    public static Plan Plan(PlanContext context, EditDomain request)
    {
        var now = context.Observed.Definition;
        var edited = Resized(context, request) with
        {
            Title = Edited(context, "title", now.Title, request.Title),
            Description = Edited(context, "description", now.Description, request.Description),
            Metadata = request.Note is { } note ? note.In(now.Metadata) : now.Metadata,
        };
        if (edited.Title?.AsSpan().ContainsAny('\n', '\r') is true)
        {
            throw Refuse(context, "title", "has several lines", "write one line, and the rest in the description");
        }

        return Rewrite(context, edited, persistence: null);
    }

    /// <summary>A transient domain stays from then on.</summary>
    public static Plan Redefine(PlanContext context, RedefineRunning request) => request.Definition.IsSameMachine(context.Observed.Definition)
        ? Rewrite(context, request.Definition, context.Catalog.Persistence is Persistence.Transient or Persistence.Trial ? Persistence.Persistent : null)
        : throw Running(
            context, "cannot be defined anew",
            context.Catalog.Persistence is Persistence.Transient ? $"to let it stay when it ends: coppice persist {context.Catalog.Name}" : null);

    private static Plan Rewrite(PlanContext context, DomainDefinition edited, Persistence? persistence)
    {
        var text = DomainXml.Format(edited);
        if (persistence is null && text == DomainXml.Format(context.Observed.Definition))
        {
            return context.Plan("nothing to do");
        }

        // What could not be read again would be the end of the domain.
        DomainXml.Parse(text);
        var (folder, before, id) = (context.Observed.Folder, context.Head.Definition, context.Observed.Ids.NextShort());
        var change = context.NoChange with { Head = context.DirtyHead with { Definition = id }, Persistence = persistence };
        var isLeft = !change.ApplyTo(context.Catalog, context.Catalog.Last).Definitions.Contains(before);
        return context.Plan("another definition, the same disks") with
        {
            Prepare = [context.Storage.WriteFile(folder.Definition(id), text)],
            Commit = change,
            CleanUp = isLeft ? [context.Storage.Remove(folder.Definition(before), default)] : [],
        };
    }

    private static DomainDefinition Resized(PlanContext context, EditDomain request)
    {
        var now = context.Observed.Definition;
        var memory = request.Memory ?? now.Memory;
        var current = request.CurrentMemory ?? now.CurrentMemory;
        if (request.CurrentMemory is { } asked && (asked.Bytes <= 0 || asked.Bytes > memory.Bytes))
        {
            throw Refuse(context, "memory", $"cannot be {asked} of {memory}", "give less, or make the whole larger first");
        }

        var resized = now with
        {
            Memory = memory,
            CurrentMemory = current is { } part && part.Bytes < memory.Bytes ? part : null,
            VirtualCpus = request.VirtualCpus ?? now.VirtualCpus,
        };
        if (resized.IsSameMachine(now))
        {
            return now;
        }

        context.Catalog.RequireNotSaved();
        return context.LiveProcess is null
            ? resized
            : throw Running(context, "keeps its memory and processors, which its snapshots fit", otherwise: null);
    }

    private static string? Edited(PlanContext context, string what, string? now, string? asked) => asked switch
    {
        null => now,
        "" => null,
        _ when !SafeXml.CanHold(asked) => throw Refuse(context, what, "contains a character that XML cannot hold", "leave the character out"),
        _ => asked,
    };

    private static CoppiceException Running(PlanContext context, string problem, string? otherwise) => new(
        ErrorKind.WrongState, context.Subject, $"is running and {problem}", otherwise ?? $"stop it first: coppice stop {context.Catalog.Name}");

    private static CoppiceException Refuse(PlanContext context, string what, string problem, string nextStep) =>
        new(ErrorKind.InvalidInput, $"{what} of {context.Subject}", problem, nextStep);
}
