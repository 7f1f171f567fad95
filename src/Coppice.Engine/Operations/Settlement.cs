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

    /// <summary>What could not be cleaned up; the journal is left, so that it is tried again.</summary>
    public ImmutableArray<string> Warnings => _warnings.ToImmutable();

    /// <summary>Decides and does what is to be done. Can be repeated.</summary>
    /// <exception cref="CoppiceException">It cannot be told what happened (<see cref="ErrorKind.Uncertain"/>); nothing was changed.</exception>
    public async Task<Settled> SettleAsync(Journal journal)
    {
        if (journal.IsCommitted)
        {
            await CleanUpAsync(journal).ConfigureAwait(false);
            return Settled.Committed;
        }

        // A root that was replaced but not flushed would be the old one again after a loss of power.
        store.Flush();
        var last = store.Read().Last;
        if (last.Id != journal.Plan.Id)
        {
            return await TakeBackAsync(journal).ConfigureAwait(false);
        }

        if (last.End is OperationEnd.Committed)
        {
            await CleanUpAsync(journal).ConfigureAwait(false);
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
    public async Task CleanUpAsync(Journal journal)
    {
        var plan = journal.Plan;
        for (var i = plan.StepsBeforeCommit; i < plan.Steps.Length; i++)
        {
            if (journal[i] is not JournalMark.Applied)
            {
                await CleanUpAsync(journal, i).ConfigureAwait(false);
            }
        }

        if (_warnings.Count == 0)
        {
            End(journal);
        }
        else
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

        if (plan.Switch is not null)
        {
            await UndoAsync(journal, plan.Prepare.Length).ConfigureAwait(false);
        }

        var forward = moved && plan.RollForward is not null;
        if (forward)
        {
            await CommitAsync(journal, plan.RollForward!, OperationEnd.RolledForward).ConfigureAwait(false);
        }

        await UndoAsync(journal, forward).ConfigureAwait(false);
        return forward ? Settled.RolledForward : Settled.Undone;
    }

    private async Task<bool> SwitchTookEffectAsync(Journal journal)
    {
        var plan = journal.Plan;
        switch (plan.Switch is null ? null : journal[plan.Prepare.Length])
        {
            case null:
                return false;
            case JournalMark.Applied:
                return true;
        }

        // Also when an earlier attempt has undone it: whether the guest had moved is for the guest's process to say.
        return await steps.ProbeAsync(plan, plan.Prepare.Length).ConfigureAwait(false) switch
        {
            StepOutcome.Done => true,
            StepOutcome.NotDone => false,
            _ => throw new CoppiceException(
                ErrorKind.Uncertain,
                $"operation {plan.Id} ({plan.Operation})",
                $"was interrupted, and it cannot be told whether this took effect: {plan.Switch!.Summary}. Nothing was changed",
                $"make sure that the domain's process answers, or end it by hand, and try again; the journal is {journal.Path}"),
        };
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

        End(journal);
    }

    private async Task UndoAsync(Journal journal, int step)
    {
        var plan = journal.Plan;
        if (journal[step] is null or JournalMark.Undone || plan.Steps[step].Undo is StepUndo.None)
        {
            return;
        }

        steps.Tell(OperationPoint.StepUndoing, plan, step);
        await steps.UndoAsync(plan, step).ConfigureAwait(false);
        if (step < plan.Prepare.Length)
        {
            journal.Note(JournalMark.Undone, step);
        }

        steps.Tell(OperationPoint.StepUndone, plan, step);
    }

    private CatalogChange Unchanged()
    {
        var catalog = store.Read();
        return new CatalogChange { Head = catalog.Head, Current = catalog.Current };
    }

    private void End(Journal journal)
    {
        try
        {
            store.Tidy();
        }
        catch (FileException e)
        {
            _warnings.Add(e.Message);
        }

        journal.Remove();
        steps.Tell(OperationPoint.Ended, journal.Plan);
    }
}
