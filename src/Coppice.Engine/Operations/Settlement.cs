using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>How an operation was brought to its end.</summary>
internal enum Settled
{
    /// <summary>It stands.</summary>
    Committed,

    /// <summary>The guest had moved to its new layers and keeps them; the rest was taken back.</summary>
    RolledForward,

    /// <summary>It was taken back.</summary>
    Undone,
}

/// <summary>
/// Brings a journalled operation to its end: forward if it was committed, back if not. The same code does it after a
/// failure, in the process that began the operation, and after a crash, in another one.
/// </summary>
internal sealed class Settlement(StepRunner steps, CatalogStore store)
{
    private readonly ImmutableArray<string>.Builder _warnings = ImmutableArray.CreateBuilder<string>();

    /// <summary>What could not be cleaned up; the journal is left, so that it is tried again. And what an undo had to leave.</summary>
    public ImmutableArray<string> Warnings => [.. _warnings, .. steps.Leftovers];

    /// <summary>Decides and does what is to be done. Can be repeated.</summary>
    /// <exception cref="CoppiceException">It cannot be told what happened (<see cref="ErrorKind.Uncertain"/>); nothing was
    /// changed.</exception>
    public async Task<Settled> SettleAsync(Journal journal)
    {
        if (journal.IsCommitted)
        {
            await CleanUpAsync(journal, store.Tidy).ConfigureAwait(false);
            return Settled.Committed;
        }

        // A root that was replaced but not flushed would be the old one again after a loss of power.
        store.Flush();
        if ((store.Exists ? store.Read().Last : null) is not { } last || last.Id != journal.Plan.Id)
        {
            return await TakeBackAsync(journal).ConfigureAwait(false);
        }

        if (last.End is OperationEnd.Committed)
        {
            await CleanUpAsync(journal, store.Tidy).ConfigureAwait(false);
            return Settled.Committed;
        }

        await UndoAsync(journal, moved: true).ConfigureAwait(false);
        return Settled.RolledForward;
    }

    /// <summary>Commits the change of a plan, or what it becomes when it is rolled forward.</summary>
    public async Task CommitAsync(Journal journal, CatalogChange change, OperationEnd end)
    {
        var staged = await store.StageAsync(change, new LastOperation(journal.Plan.Id, end)).ConfigureAwait(false);
        steps.Tell(OperationPoint.Committing, journal.Plan);
        await store.CommitAsync(staged).ConfigureAwait(false);
        steps.Tell(OperationPoint.Committed, journal.Plan);
    }

    /// <summary>Does what follows the commit. A step that fails is left to the next command; the operation stands.</summary>
    public Task CleanUpAsync(Journal journal) => CleanUpAsync(journal, store.TidyReplaced);

    private async Task CleanUpAsync(Journal journal, Action tidy)
    {
        var plan = journal.Plan;
        for (var i = plan.StepsBeforeCommit; i < plan.Steps.Length; i++)
        {
            if (journal[i] is not JournalMark.Applied)
            {
                await CleanUpAsync(journal, i).ConfigureAwait(false);
            }
        }

        if (_warnings.Count > 0 || !TryEnd(journal, tidy))
        {
            // Later operations will replace the root; from here on the journal itself says that this one stands.
            journal.Write(JournalMark.Committed, null);
        }
    }

    private async Task CleanUpAsync(Journal journal, int step)
    {
        try
        {
            journal.Note(JournalMark.Intended, step);
            steps.Tell(OperationPoint.StepIntended, journal.Plan, step);
            await steps.ApplyAsync(journal.Plan, step, CancellationToken.None).ConfigureAwait(false);
            steps.Tell(OperationPoint.StepApplied, journal.Plan, step);
            journal.Note(JournalMark.Applied, step);
            steps.Tell(OperationPoint.StepRecorded, journal.Plan, step);
        }
        catch (Exception e) when (!steps.IsAbandoned)
        {
            var failure = Failure.Of(e, journal.Plan.Steps[step].Summary);
            _warnings.Add($"{journal.Plan.Steps[step].Summary}: {failure.Message}; the next command tries it again");
        }
    }

    private async Task<Settled> TakeBackAsync(Journal journal)
    {
        var plan = journal.Plan;
        var moved = await SwitchTookEffectAsync(journal).ConfigureAwait(false);
        if (moved && plan.Switch!.Undo is StepUndo.None)
        {
            // What cannot be taken back is carried through.
            await CommitAsync(journal, plan.Commit ?? Unchanged(), OperationEnd.Committed).ConfigureAwait(false);
            await CleanUpAsync(journal).ConfigureAwait(false);
            return Settled.Committed;
        }

        if (plan.Switch is not null && journal[plan.Prepare.Length] is not null)
        {
            await UndoAsync(plan, plan.Prepare.Length).ConfigureAwait(false);
        }

        var forward = moved && plan.RollForward is not null;
        if (forward)
        {
            await CommitAsync(journal, plan.RollForward!, OperationEnd.RolledForward).ConfigureAwait(false);
        }

        await UndoAsync(journal, forward).ConfigureAwait(false);
        return forward ? Settled.RolledForward : Settled.Undone;
    }

    /// <summary>
    /// Whether the guest has moved. What is found out is written down before anything is undone: a process that dies
    /// meanwhile would count as moved, and by then the layers it could have moved to may be gone.
    /// </summary>
    private async Task<bool> SwitchTookEffectAsync(Journal journal)
    {
        var plan = journal.Plan;
        var index = plan.Prepare.Length;
        if (plan.Switch is null || journal[index] is null or JournalMark.NotApplied)
        {
            return false;
        }

        if (journal[index] is JournalMark.Applied)
        {
            return true;
        }

        var outcome = await steps.ProbeAsync(plan, index).ConfigureAwait(false);
        if (outcome is StepOutcome.Unknown)
        {
            throw new CoppiceException(
                ErrorKind.Uncertain,
                $"operation {plan.Id} ({plan.Operation})",
                $"was interrupted, and it cannot be told whether this took effect: {plan.Switch.Summary}. Nothing was changed",
                $"try again when its process answers, or end it: coppice kill {store.ReadName()}; the journal is {journal.Path}");
        }

        journal.Write(outcome is StepOutcome.Done ? JournalMark.Applied : JournalMark.NotApplied, index);
        return outcome is StepOutcome.Done;
    }

    /// <summary>Takes back what was prepared, last first, but not what the guest has moved to.</summary>
    private async Task UndoAsync(Journal journal, bool moved)
    {
        for (var i = journal.Plan.Prepare.Length - 1; i >= 0; i--)
        {
            if (!moved || journal.Plan.Prepare[i].Undo is not StepUndo.UnlessSwitched)
            {
                await UndoAsync(journal, i).ConfigureAwait(false);
            }
        }

        store.Tidy();
        End(journal);
    }

    private async Task UndoAsync(Journal journal, int step)
    {
        if (journal[step] is not (null or JournalMark.Undone))
        {
            await UndoAsync(journal.Plan, step).ConfigureAwait(false);
            journal.Note(JournalMark.Undone, step);
        }
    }

    private async Task UndoAsync(Plan plan, int step)
    {
        if (plan.Steps[step].Undo is not StepUndo.None)
        {
            steps.Tell(OperationPoint.StepUndoing, plan, step);
            await steps.UndoAsync(plan, step).ConfigureAwait(false);
            steps.Tell(OperationPoint.StepUndone, plan, step);
        }
    }

    private CatalogChange Unchanged()
    {
        var catalog = store.Read();
        return new CatalogChange { Head = catalog.Head, Current = catalog.Current };
    }

    private bool TryEnd(Journal journal, Action tidy)
    {
        try
        {
            tidy();
            End(journal);
            return true;
        }
        catch (FileException e)
        {
            _warnings.Add($"{e.Message}; the next command tries it again");
            return false;
        }
    }

    private void End(Journal journal)
    {
        journal.Remove();
        steps.Tell(OperationPoint.Ended, journal.Plan);
    }
}
