namespace Coppice.Core;

/// <summary>
/// Plans that change what a definition says for people and programs. The guest has nothing of it, so it may run, be saved, or be merged;
/// snapshots have definitions of their own.
/// </summary>
internal static class DomainEditing
{
    public static Plan Plan(PlanContext context, EditDomain request)
    {
        var now = context.Observed.Definition;
        var edited = now with
        {
            Title = Edited(context, "title", now.Title, request.Title),
            Description = Edited(context, "description", now.Description, request.Description),
            Metadata = request.Note is { } note ? note.In(now.Metadata) : now.Metadata,
        };
        if (edited == now)
        {
            return context.Plan("nothing to do");
        }

        if (edited.Title?.AsSpan().ContainsAny('\n', '\r') is true)
        {
            throw Refuse(context, "title", "has several lines", "write one line, and the rest in the description");
        }

        return Rewrite(context, edited);
    }

    public static Plan Redefine(PlanContext context, RedefineRunning request)
    {
        if (!request.Definition.IsSameMachine(context.Observed.Definition))
        {
            throw new CoppiceException(
                ErrorKind.WrongState, context.Subject, "is running and cannot be defined anew",
                context.Catalog.Persistence is Persistence.Transient
                    ? $"to let it stay when it ends: coppice persist {context.Catalog.Name}" : $"stop it first: coppice stop {context.Catalog.Name}");
        }

        var stays = context.Catalog.Persistence is Persistence.Transient or Persistence.Trial ? Persistence.Persistent : (Persistence?)null;
        var plan = Rewrite(context, request.Definition);
        return plan with { Commit = plan.Commit! with { Persistence = stays } };
    }

    private static Plan Rewrite(PlanContext context, DomainDefinition edited)
    {
        var (folder, before, id) = (context.Observed.Folder, context.Head.Definition, context.Observed.Ids.NextShort());
        var change = context.NoChange with { Head = context.Head with { Definition = id } };
        var isLeft = !change.ApplyTo(context.Catalog, context.Catalog.Last).Definitions.Contains(before);
        return context.Plan("the same machine, with other words about it") with
        {
            Prepare = [context.Storage.WriteFile(folder.Definition(id), DomainXml.Format(edited))],
            Commit = change,
            CleanUp = isLeft ? [context.Storage.Remove(folder.Definition(before), default)] : [],
        };
    }

    private static string? Edited(PlanContext context, string what, string? now, string? asked) => asked switch
    {
        null => now,
        "" => null,
        _ when !SafeXml.CanHold(asked) => throw Refuse(context, what, "contains a character that XML cannot hold", "leave the character out"),
        _ => asked,
    };

    private static CoppiceException Refuse(PlanContext context, string what, string problem, string nextStep) =>
        new(ErrorKind.InvalidInput, $"{what} of {context.Subject}", problem, nextStep);
}
