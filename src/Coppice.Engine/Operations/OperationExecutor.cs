using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>Carries out a plan: prepare, switch, commit, clean up; or takes it back. Needs the lock of the domain.</summary>
internal sealed class OperationExecutor(DomainFolder folder, StepRunner steps, CatalogStore store)
{
    /// <summary>What is waited for once the plan stands; null for nothing. If this process ends meanwhile, the next command cleans up.</summary>
    public Func<Task>? BeforeCleanUp { get; init; }

    /// <summary>Runs a plan. Cancelling counts until the switch, or the commit if there is none.</summary>
    /// <returns>What could not be cleaned up.</returns>
    /// <exception cref="CoppiceException">It failed; it was taken back, or the message says what was not.</exception>
    public async Task<ImmutableArray<string>> RunAsync(Plan plan, CancellationToken cancellation)
    {
        if (plan is { Mark: null, Commit: null, Steps.IsEmpty: true })
        {
            return [];
        }

        try
        {
            return await CarryOutAsync(plan, cancellation).ConfigureAwait(false);
        }
        finally
        {
            steps.LetGo(plan);
        }
    }

    private async Task<ImmutableArray<string>> CarryOutAsync(Plan plan, CancellationToken cancellation)
    {
        RequireSettled();
        var settlement = new Settlement(steps, store);
        using var journal = Journal.Create(folder, plan);
        try
        {
            await AdvanceAsync(journal, settlement, cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (!steps.IsAbandoned)
        {
            await RecoverAsync(journal, settlement, Failure.Of(e, plan.Operation)).ConfigureAwait(false);
            return settlement.Warnings.Add(e.Message);
        }

        await (BeforeCleanUp?.Invoke() ?? Task.CompletedTask).ConfigureAwait(false);
        return await CleanUpAsync(journal, settlement).ConfigureAwait(false);
    }

    /// <summary>
    /// The root says of the last operation alone that it stands. An earlier one that does not say so itself by then would be taken
    /// back.
    /// </summary>
    private void RequireSettled()
    {
        if (Recovery.FindOpen(folder) is { } open)
        {
            throw new CoppiceException(
                ErrorKind.Busy, $"domain '{(store.Exists ? store.ReadName() : open.Domain)}'",
                $"'{open.Operation}' (operation {open.Id}), which came before, has yet to be settled", "try again: that comes first then");
        }
    }

    /// <summary>The operation stands: whatever goes wrong now is the next command's to finish.</summary>
    private async Task<ImmutableArray<string>> CleanUpAsync(Journal journal, Settlement settlement)
    {
        try
        {
            await settlement.CleanUpAsync(journal).ConfigureAwait(false);
            return settlement.Warnings;
        }
        catch (Exception e) when (!steps.IsAbandoned)
        {
            return settlement.Warnings.Add($"{Failure.Of(e, journal.Plan.Operation).Message}; the next command tries it again");
        }
    }

    private async Task AdvanceAsync(Journal journal, Settlement settlement, CancellationToken cancellation)
    {
        var plan = journal.Plan;
        steps.Tell(OperationPoint.Planned, plan);
        if (plan.Mark is { } mark)
        {
            // It says nothing of the operation, which still does not stand.
            await store.CommitAsync(await store.StageAsync(mark, store.Read().Last).ConfigureAwait(false)).ConfigureAwait(false);
        }

        for (var i = 0; i < plan.StepsBeforeCommit; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            journal.Write(JournalMark.Intended, i);
            steps.Tell(OperationPoint.StepIntended, plan, i);
            await steps.ApplyAsync(plan, i, cancellation).ConfigureAwait(false);
            steps.Tell(OperationPoint.StepApplied, plan, i);
            Record(journal, i);
            steps.Tell(OperationPoint.StepRecorded, plan, i);
        }

        if (plan.Switch is null)
        {
            cancellation.ThrowIfCancellationRequested();
        }

        if (plan.Commit is { } change)
        {
            await settlement.CommitAsync(journal, change, OperationEnd.Committed).ConfigureAwait(false);
        }
        else if (!plan.CleanUp.IsEmpty)
        {
            journal.Write(JournalMark.Committed, null);
            steps.Tell(OperationPoint.Committed, plan);
        }
    }

    /// <summary>Only the outcome of the switch is worth waiting for: whatever was prepared is undone without asking.</summary>
    private static void Record(Journal journal, int step)
    {
        if (step == journal.Plan.Prepare.Length)
        {
            journal.Write(JournalMark.Applied, step);
        }
        else
        {
            journal.Note(JournalMark.Applied, step);
        }
    }

    /// <summary>Settles an operation that failed, and tells why it failed unless it turns out to stand.</summary>
    private async Task RecoverAsync(Journal journal, Settlement settlement, CoppiceException failure)
    {
        Settled settled;
        try
        {
            settled = await settlement.SettleAsync(journal).ConfigureAwait(false);
        }
        catch (Exception e) when (!steps.IsAbandoned)
        {
            var second = Failure.Of(e, journal.Plan.Operation);
            throw failure.And(
                $"it could not be taken back ({second.Message}): the next command on the domain tries that again",
                second.Kind is ErrorKind.Uncertain ? ErrorKind.Uncertain : null);
        }

        if (settled is Settled.RolledForward)
        {
            throw failure.And("the guest had moved to new layers before that, and keeps them");
        }

        if (settled is Settled.Undone)
        {
            var told = settlement.Warnings.IsEmpty ? failure : failure.And(string.Join("; ", settlement.Warnings));
            throw failure.Kind is ErrorKind.Cancelled && settlement.Warnings.IsEmpty ? failure.And("everything was undone") : told;
        }
    }
}
