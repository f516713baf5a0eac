/** A node with this among its `client_features` takes virtual hosts one by one, all of them, by delta VHDS. */
export const VHDS_CLIENT_FEATURE = 'lateen.vhds'
