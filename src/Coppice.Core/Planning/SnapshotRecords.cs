namespace Coppice.Core;

/// <summary>Plans that concern the references themselves: renaming, describing, choosing the current one.</summary>
internal static class SnapshotRecords
{
    public static Plan Edit(PlanContext context, EditSnapshot request)
    {
        var snapshot = context.Find(request.Snapshot);
        var name = request.Name is null ? snapshot.Name : Names.Check("snapshot", request.Name);
        SnapshotNaming.RequireFree(name, context.Catalog, except: snapshot.Id);
        var description = SnapshotNaming.CheckDescription(request.Description ?? snapshot.Description, context.Catalog);
        return context.Plan("change the reference") with
        {
            Commit = context.NoChange with { Put = [snapshot with { Name = name, Description = description }] },
        };
    }

    public static Plan SetCurrent(PlanContext context, SetCurrentSnapshot request) =>
        context.Plan("change the reference") with
        {
            Commit = context.NoChange with { Current = context.Find(request.Snapshot).Id },
        };
}
